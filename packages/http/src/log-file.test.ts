import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, renameSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "@tsserve/server";
import { LogFile } from "./log-file.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function open(): { readonly path: string; readonly file: LogFile; readonly failures: string[] } {
  const folder = mkdtempSync(join(tmpdir(), "log-file-"));
  folders.push(folder);
  const path = join(folder, "access.log");
  const failures: string[] = [];
  return { path, failures, file: new LogFile(path, systemClock, (error, lost) => failures.push(`${error.message}: ${lost}`)) };
}

describe("a file of lines", () => {
  test("has all of them at its end, in their order", () => {
    const { file, path, failures } = open();
    const lines = Array.from({ length: 3000 }, (_, n) => `line ${n} ${"x".repeat(n % 300)}\n`);
    for (const line of lines) file.write(line);
    file.end();
    expect(readFileSync(path, "utf8")).toBe(lines.join(""));
    file.write("late\n");
    expect(failures).toEqual([]);
  });

  test("is appended to, whoever else does, and where it was emptied meanwhile", () => {
    const { file, path } = open();
    const other = new LogFile(path, systemClock, () => undefined);
    file.write("one\n");
    file.reopen();
    other.write("two\n");
    other.end();
    truncateSync(path, 0);
    file.write("three\n");
    file.end();
    expect(readFileSync(path, "utf8")).toBe("three\n");
  });

  test("what was written before a rename is in the old one, the rest in the new one", () => {
    const { file, path } = open();
    file.write("old\n");
    renameSync(path, `${path}.1`);
    file.reopen();
    file.write("new\n");
    file.end();
    expect([readFileSync(`${path}.1`, "utf8"), readFileSync(path, "utf8")]).toEqual(["old\n", "new\n"]);
  });

  test("what the disk does not take is counted", () => {
    const failures: string[] = [];
    const file = new LogFile("/dev/full", systemClock, (error, lost) => failures.push(`${error.message} ${lost}`));
    file.write("a\n");
    file.write("b\n");
    file.end();
    expect(failures).toEqual([expect.stringMatching(/ENOSPC.* 2$/)]);
  });

  test("a disk that takes a part keeps whole lines whole: what comes later begins a line of its own", () => {
    const folder = mkdtempSync(join(tmpdir(), "log-file-"));
    folders.push(folder);
    // A limit to the size of files is met as a full disk is: by a write that takes less than it was given.
    const script = `
      import { spawnSync } from "node:child_process";
      import { LogFile } from ${JSON.stringify(new URL("log-file.ts", import.meta.url).href)};
      const clock = { now: () => 0, after: () => () => undefined };
      const lost = [];
      const file = new LogFile("access.log", clock, (error, lines) => lost.push([error.code, lines]));
      for (let n = 0; n < 300; n++) file.write("line " + n + " " + "x".repeat(90) + "\\n");
      file.reopen();
      spawnSync("prlimit", ["--pid", String(process.pid), "--fsize=unlimited"]);
      file.write("later\\n");
      file.end();
      console.log(JSON.stringify(lost));`;
    const { stdout, stderr } = spawnSync(
      "bash",
      [
        "-c",
        `trap '' XFSZ; ulimit -S -f 10; exec "$@"`,
        "bash",
        process.execPath,
        "--import",
        import.meta.resolve("tsx"),
        "--input-type=module",
        "-e",
        script,
      ],
      { cwd: folder, encoding: "utf8" },
    );
    expect(stderr).toBe("");
    const text = readFileSync(join(folder, "access.log"), "utf8");
    expect(text).toMatch(/\nlater\n$/);
    const whole = text.split("\n").filter((line) => /^line \d+ x{90}$/.test(line)).length;
    const [[code, lines] = []] = JSON.parse(stdout) as [string, number][];
    expect([code, (lines ?? 0) + whole === 300]).toEqual(["EFBIG", true]);
    expect(lines).toBeLessThan(300);
  });

  test("a folder that is not there is an error at once", () => {
    expect(() => new LogFile("/nowhere/at/all.log", systemClock, () => undefined)).toThrow("ENOENT");
  });
});
