import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Page } from "./exporter.ts";

/** In the order in which they need each other. */
const scripts = ["format.js", "plot.js", "table.js", "findings.js", "script.js"];

/** The page that shows the metrics of all workers: one document, of which nothing is loaded from elsewhere. Read when it is first asked for. */
export function metricsPage(): Page {
  let made: { readonly html: string; readonly policy: string } | undefined;
  const make = (): { readonly html: string; readonly policy: string } => {
    // Of this package, wherever the code was bundled to.
    const folder = join(dirname(createRequire(import.meta.url).resolve("@tsserve/metrics/package.json")), "page");
    const read = (name: string): string => readFileSync(join(folder, name), "utf8");
    const style = read("style.css");
    const script = scripts.map((name) => joinable(read(name))).join("\n");
    // Functions, since a replacement may hold a `$`.
    const html = read("index.html")
      .replace(/<style>[^]*?<\/style>/, () => `<style>${style}</style>`)
      .replace(/<script>[^]*?<\/script>/, () => `<script>${script}</script>`);
    const policy = [
      "default-src 'none'",
      `style-src '${hashOf(style)}'`,
      `script-src '${hashOf(script)}'`,
      "connect-src 'self'",
      "img-src data:",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join("; ");
    return { html, policy };
  };
  return () => {
    made ??= make();
    return {
      status: 200,
      contentType: "text/html; charset=utf-8",
      headers: {
        "Content-Security-Policy": made.policy,
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
      },
      body: made.html,
    };
  };
}

/** A module as a part of one script, which has all the names of the others. */
function joinable(module: string): string {
  return module.replace(/^import\s[^;]*;\n/gm, "").replace(/^export /gm, "");
}

function hashOf(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}
