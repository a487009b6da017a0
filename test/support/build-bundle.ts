import { execFileSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The tests run what a user runs: the bundle, made of the sources as they are now. */
export function setup(): void {
  const made = statSync(join(root, "packages/tsserve/bundle/bin.cjs"), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const isStale = readdirSync(join(root, "packages")).some((name) => changedAt(join(root, "packages", name, "src")) > made);
  if (isStale) execFileSync(process.execPath, ["--import", "tsx", "scripts/bundle.ts"], { cwd: root, stdio: "inherit" });
}

function changedAt(folder: string): number {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return Math.max(...files.map((file) => statSync(join(folder, file)).mtimeMs));
}
