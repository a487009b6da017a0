// Imports point downwards, never sideways: each package may import only those below it, and names them
// in its package.json.
import { readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join } from "node:path";

/** Each package, and those that it may import. */
const below: Readonly<Record<string, readonly string[]>> = {
  "@tsserve/config": [],
  "@tsserve/listener": ["@tsserve/config"],
  "@tsserve/deploy": [],
  "@tsserve/server": ["@tsserve/config", "@tsserve/listener"],
  "@tsserve/telemetry": ["@tsserve/config", "@tsserve/server"],
  "@tsserve/metrics": ["@tsserve/config", "@tsserve/listener", "@tsserve/server"],
  "@tsserve/master": ["@tsserve/config", "@tsserve/listener"],
  "@tsserve/http": ["@tsserve/config", "@tsserve/listener", "@tsserve/server"],
  "@tsserve/thrift": ["@tsserve/config", "@tsserve/listener", "@tsserve/server"],
  "@tsserve/queue": ["@tsserve/config", "@tsserve/listener", "@tsserve/server"],
  tsserve: [
    "@tsserve/config",
    "@tsserve/deploy",
    "@tsserve/listener",
    "@tsserve/server",
    "@tsserve/telemetry",
    "@tsserve/master",
    "@tsserve/metrics",
    "@tsserve/http",
    "@tsserve/thrift",
    "@tsserve/queue",
  ],
  "@tsserve/testing": ["@tsserve/config", "@tsserve/listener", "@tsserve/server", "@tsserve/queue", "tsserve"],
};

const problems: string[] = [];
for (const folder of readdirSync("packages")) {
  const manifest = JSON.parse(readFileSync(join("packages", folder, "package.json"), "utf8")) as {
    name: string;
    dependencies?: Record<string, string>;
    devDependencies?: Record<string, string>;
    peerDependencies?: Record<string, string>;
    peerDependenciesMeta?: Record<string, unknown>;
  };
  const allowed = below[manifest.name];
  if (allowed === undefined) problems.push(`${manifest.name}: is not in the plan of scripts/check-boundaries.ts`);
  const declared = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
  // Types that do not show in what is published.
  const forTypes = Object.keys(manifest.devDependencies ?? {});
  const imported = new Set<string>();
  for (const file of sources(join("packages", folder, "src"))) {
    const text = readFileSync(file, "utf8");
    for (const name of importsOf(text)) {
      if (name.startsWith(".") || isBuiltin(name) || name.startsWith("internal/")) continue;
      const packageName = name.split("/", name.startsWith("@") ? 2 : 1).join("/");
      if (packageName === manifest.name) continue;
      if (forTypes.includes(packageName) && !importsOf(withoutTypeImports(text)).includes(name)) continue;
      imported.add(packageName);
      const isOurs = packageName in below;
      if (isOurs && allowed?.includes(packageName) !== true) problems.push(`${file}: imports ${name}, which is not below ${manifest.name}`);
      if (!declared.includes(packageName)) problems.push(`${file}: imports ${name}, which ${manifest.name} does not declare`);
    }
  }
  // The bundle loads what the packages need that it is made of.
  if (manifest.name === "tsserve") {
    for (const name of (allowed ?? []).flatMap(dependenciesOf)) {
      imported.add(name);
      if (!declared.includes(name)) problems.push(`tsserve: does not declare ${name}, which its bundle loads`);
    }
  }
  // An optional peer may be what the app brings, and is never imported here.
  const optional = Object.keys(manifest.peerDependenciesMeta ?? {});
  for (const name of declared)
    if (!imported.has(name) && !optional.includes(name)) problems.push(`${manifest.name}: declares ${name}, but imports it nowhere`);
}
for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;

function dependenciesOf(name: string): string[] {
  const manifest = JSON.parse(readFileSync(join("packages", name.replace("@tsserve/", ""), "package.json"), "utf8")) as {
    dependencies?: Record<string, string>;
  };
  return Object.keys(manifest.dependencies ?? {}).filter((each) => !(each in below));
}

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.[cm]?ts$/.test(name) && !name.includes(".test."))
    .map((name) => join(folder, name));
}

function withoutTypeImports(text: string): string {
  return text.replaceAll(/^import type [^;]*;$/gm, "");
}

/** The modules that a source imports, statically, dynamically or for their types. */
function importsOf(text: string): string[] {
  const withoutComments = text.replaceAll(/^\s*(?:\*|\/\/|\/\*).*$/gm, "");
  const pattern = /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*|\.resolve\s*\(\s*)"([\w@./:-]+)"/g;
  return [...withoutComments.matchAll(pattern)].map(([, name]) => name ?? "");
}
