import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const page = readFileSync(join(root, "docs/node-internals.md"), "utf8");

/** Private parts of other libraries (Express, koa-router, H3, hapi, prom-client, code that Apache's compiler generates), and endings of metrics. */
const notNodes = new Set(
  "_handler _defaultLabels _router _all _reply _routes _findRoute _matchedRoute _response _bucket _sum _count _total _writer _core".split(
    " ",
  ),
);
/** A property with an underscore: taken from an object, declared, destructured, or asked for by name. */
const underscored = /(?:\.|readonly |\{ |, |^\s+|")(_[a-z]\w*)(?=[?:(,"\s;)=.\]!}])/g;
/** What has no underscore, and is private all the same. */
const named =
  /\b(internalBinding|expose-internals|reallyExit|connectionsCheckingInterval|onIncoming|destroySoon|useUserBuffer|setBlocking|kResourceStore|getOwnPropertySymbols)\b/g;

function sources(): string[] {
  const folders = readdirSync(join(root, "packages")).flatMap((name) => [`packages/${name}/src`, `packages/${name}/bin`]);
  return folders.flatMap((folder) => {
    try {
      return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
        .filter((file) => /\.(?:c?ts|js)$/.test(file) && !file.endsWith(".test.ts"))
        .map((file) => join(root, folder, file));
    } catch {
      return [];
    }
  });
}

/** Of each private part, the packages that use it. */
function used(): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const file of sources()) {
    for (const line of readFileSync(file, "utf8").split("\n")) {
      if (/^\s*(?:\/?\*|\/\/)/.test(line)) continue;
      const code = line.replace(/\(_\w+(?:, |\) =>)/g, "(");
      for (const [, part = ""] of [...code.matchAll(underscored), ...code.matchAll(named)]) {
        if (notNodes.has(part)) continue;
        found.set(part, (found.get(part) ?? new Set()).add(relative(root, file).split("/")[1] ?? ""));
      }
    }
  }
  return found;
}

/** The table of the page: of each part, the packages that it names, and its other cells. */
function listed(): Map<string, { readonly packages: Set<string>; readonly cells: readonly string[] }> {
  const rows = page.split("\n").filter((line) => line.startsWith("| `"));
  return new Map(
    rows.map((row) => {
      const [part = "", packages = "", ...cells] = row
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim());
      return [part.replaceAll("`", ""), { packages: new Set(packages.split(", ")), cells }];
    }),
  );
}

test("every private part of Node that is used stands on the page, with the packages that use it, and nothing else does", () => {
  const onPage = Object.fromEntries([...listed()].map(([part, { packages }]) => [part, [...packages].sort()]));
  const inCode = Object.fromEntries([...used()].map(([part, packages]) => [part, [...packages].sort()]));
  expect(onPage).toEqual(inCode);
});

test("each says since when, what happens without it, and where it stands in Node's source", () => {
  for (const [part, { cells }] of listed()) {
    expect(cells, part).toHaveLength(3);
    const [since = "", without = "", source = ""] = cells;
    expect(since, part).toMatch(/^\d+/);
    expect(without.length, part).toBeGreaterThan(20);
    expect(source, part).toMatch(/\]\(https:\/\/github\.com\/nodejs\/node\/blob\/v24\.x\/\S+\)/);
  }
});
