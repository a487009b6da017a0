// How many lines of tests there are for each line of source, by package and in all; at least 0.70 is wanted.
// node --import tsx scripts/tests-per-source.ts
// Tests: *.test.ts, and test/ without its fixtures. Source: the rest of packages/*/src, without the master's simulation, which is a test itself.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

const counted = new Map<string, { tests: number; source: number }>();
const all = { tests: 0, source: 0 };
for (const path of execFileSync("git", ["ls-files", "packages", "test"], { encoding: "utf8" }).split("\n")) {
  if (!/\.[cm]?ts$/.test(path) || path.includes("/fixtures/") || path.includes("/simulation/")) continue;
  const isTest = path.startsWith("test/") || path.endsWith(".test.ts");
  if (!isTest && !path.includes("/src/")) continue;
  const room = path.split("/", path.startsWith("test/") ? 1 : 2).join("/");
  const lines = readFileSync(path, "utf8").split("\n").length - 1;
  const count = counted.get(room) ?? { tests: 0, source: 0 };
  counted.set(room, count);
  for (const each of [count, all]) each[isTest ? "tests" : "source"] += lines;
}
const line = (room: string, { tests, source }: typeof all): string =>
  `${room.padEnd(20)} ${String(tests).padStart(6)} ${String(source).padStart(6)}  ${source === 0 ? "" : (tests / source).toFixed(2)}`;
for (const [room, count] of counted) console.log(line(room, count));
console.log(line("all", all));
