// All checks but the tests: npm run check. Each is told by a line; ends with `N passed, N failed`.
import { spawnSync } from "node:child_process";

const node = (...args: string[]): string[] => [process.execPath, ...args];
const script = (name: string, ...args: string[]): string[] => node("--import", "tsx", `scripts/${name}.ts`, ...args);
const bin = (name: string, ...args: string[]): string[] => [`node_modules/.bin/${name}`, ...args];

const checks: Readonly<Record<string, readonly string[]>> = {
  format: bin("oxfmt", "--check", "."),
  types: bin("tsc", "-b"),
  "types of tests, scripts, benchmarks and examples": bin("tsc", "-p", "test/tsconfig.json"),
  lint: bin("oxlint", "--type-aware", "--deny-warnings"),
  boundaries: script("check-boundaries"),
  "generated pages": script("generate-docs", "--check"),
  packages: script("check-packages"),
};

let failed = 0;
for (const [name, [command = "", ...args]] of Object.entries(checks)) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  console.log(`${status === 0 ? "ok" : "FAILED"}: ${name}`);
  if (status === 0) continue;
  failed += 1;
  console.log(`${stdout}${stderr}`);
}
console.log(`${Object.keys(checks).length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
