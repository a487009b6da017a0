import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { escapeHtml, escapeJson, flamePage, flatten } from "./flame-page.ts";
import type { FlameNode } from "./flame-tree.ts";

const node = (name: string, self: number, children: FlameNode[] = []): FlameNode => ({
  name,
  place: `/srv/${name}.js:1`,
  self,
  total: children.reduce((sum, { total }) => sum + total, self),
  children,
});
const hostile = [
  "</script><script>alert(1)</script>",
  "<!--<script>",
  "]]>",
  "{{DATA}}{{TITLE}}",
  "$& $1 $$",
  "\u2028\u2029\0",
  '"onmouseover="x',
  "'",
  "&lt;",
];

/** What stands between the tags of each script. */
const scriptsOf = (html: string): string[] => [...html.matchAll(/<script[^>]*>([^]*?)<\/script>/g)].map(([, text = ""]) => text);

describe("the page of a profile", () => {
  test.each(hostile)("takes %j as the name of a function, and as its title", (name) => {
    const html = flamePage({ unit: "bytes", root: node("all", 0, [node(name, 7)]) }, { title: name, subtitle: name });
    const [data = "", script = "", ...others] = scriptsOf(html);
    expect(others).toEqual([]);
    expect(JSON.parse(data)).toEqual({
      unit: "bytes",
      functions: ["all", "/srv/all.js:1", name, `/srv/${name}.js:1`],
      nodes: [
        [0, -1, 0],
        [1, 0, 7],
      ],
    });
    expect(html).toContain(`<title>${escapeHtml(name)}</title>`);
    // What runs, and how it looks, is what the policy allows, and nothing else is.
    const style = /<style>([^]*?)<\/style>/.exec(html)?.[1] ?? "";
    const hash = (text: string): string => createHash("sha256").update(text).digest("base64");
    expect(html).toContain(
      `content="default-src 'none'; style-src 'sha256-${hash(style)}'; script-src 'sha256-${hash(script)}'; img-src data:;`,
    );
  });

  test("loads nothing from elsewhere", () => {
    const html = flamePage({ unit: "bytes", root: node("all", 1) }, { title: "a", subtitle: "b" });
    expect(html).not.toMatch(/https?:\/\/|<link(?! rel="icon" href="data:,")|@import|url\(/);
    expect(html).not.toContain("{{");
  });
});

describe("escaping", () => {
  test("leaves no character that HTML would see, and JSON as it was", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom(...hostile)), (text) => {
        expect(escapeHtml(text)).not.toMatch(/[<>"']|&(?!#\d+;)/);
        expect(escapeJson([text])).not.toMatch(/[<>&\u2028\u2029]/);
        expect(JSON.parse(escapeJson([text]))).toEqual([text]);
      }),
    );
  });
});

describe("a flat tree", () => {
  test("has each function once, each node after its parent, and rounds what was measured", () => {
    const twice = node("twice", 2.4);
    expect(flatten(node("all", 0, [node("a", 1, [twice]), twice]))).toEqual({
      functions: ["all", "/srv/all.js:1", "a", "/srv/a.js:1", "twice", "/srv/twice.js:1"],
      nodes: [
        [0, -1, 0],
        [1, 0, 1],
        [2, 1, 2],
        [2, 0, 2],
      ],
    });
  });
});
