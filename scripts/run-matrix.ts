// Runs the tests on other versions of Node: npm run test:matrix [-- 22 24]. Each comes as an npm package.
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const versions = process.argv.slice(2).length > 0 ? process.argv.slice(2) : ["22", "24", "26"];
const failed: string[] = [];
for (const version of versions) {
  const folder = join(tmpdir(), `tsserve-node-${version}`);
  mkdirSync(folder, { recursive: true });
  const platform = `${process.platform}-${process.arch}`;
  const installed = spawnSync(
    "npm",
    ["install", "--prefix", folder, "--no-save", "--no-package-lock", "--silent", `node-${platform}@${version}`],
    { stdio: "inherit" },
  );
  const node = join(folder, `node_modules/node-${platform}/bin/node`);
  if (installed.status !== 0) {
    failed.push(`${version} (not installed)`);
    continue;
  }
  console.log(`\n== Node ${spawnSync(node, ["--version"], { encoding: "utf8" }).stdout.trim()}`);
  // The tests themselves run on it, and the command that they spawn.
  const tests = spawnSync(node, ["node_modules/vitest/vitest.mjs", "run"], {
    stdio: "inherit",
    env: { ...process.env, TSSERVE_TEST_NODE: node },
  });
  if (tests.status !== 0) failed.push(version);
}
console.log(failed.length === 0 ? `\nall pass on Node ${versions.join(", ")}` : `\nfailed on Node ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
