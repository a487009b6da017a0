// Packs every package as npm would and looks at what a stranger would get: the files, the exports, the types.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { undeclaredTypes } from "./undeclared-types.ts";

const folder = mkdtempSync(join(tmpdir(), "tsserve-pack-"));
const problems: string[] = [];

for (const name of readdirSync("packages")) {
  const manifest = JSON.parse(readFileSync(join("packages", name, "package.json"), "utf8")) as { name: string; private?: boolean };
  // Nobody gets it yet.
  if (manifest.private === true) continue;
  const packed = spawnSync("npm", ["pack", "--json", "--pack-destination", folder, "-w", manifest.name], { encoding: "utf8" });
  const output: unknown = JSON.parse(packed.stdout.slice(packed.stdout.search(/[[{]/)));
  const [report] = Object.values(output as object) as [{ filename: string; files: { path: string }[] }];
  const files = report.files.map(({ path }) => path);
  const tarball = join(folder, report.filename.replace("@", "").replace("/", "-"));
  for (const wanted of ["README.md", "LICENSE", "package.json", "dist/index.js", "dist/index.d.ts"]) {
    if (!files.includes(wanted)) problems.push(`${manifest.name}: lacks ${wanted}`);
  }
  for (const file of files) if (/\.test\.|tsbuildinfo|tsconfig/.test(file)) problems.push(`${manifest.name}: holds ${file}`);
  problems.push(...undeclaredTypes(join("packages", name)));
  run(manifest.name, "publint", ["node_modules/publint/src/cli.js", tarball, "--strict"]);
  run(manifest.name, "attw", [
    "node_modules/@arethetypeswrong/cli/dist/index.js",
    tarball,
    "--profile",
    "esm-only",
    "--no-color",
    "--format",
    "ascii",
  ]);
}
rmSync(folder, { recursive: true });
for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;

function run(name: string, tool: string, args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (status !== 0) problems.push(`${name}: ${tool} says\n${stdout}${stderr}`);
}
