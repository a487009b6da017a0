import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "@tsserve/server";
import { LogFile, type LogFileEvents } from "./log-file.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** Notes what is told. */
function noting(told: string[]): LogFileEvents {
  return {
    failing: (error, isLosing) => told.push(`failing${isLosing ? ", losing" : ""}: ${(error as NodeJS.ErrnoException).code}`),
    well: (lost) => told.push(`well: ${lost}`),
    gaveUp: (lost) => told.push(`gave up: ${lost}`),
  };
}

function open(): { readonly path: string; readonly file: LogFile; readonly failures: string[] } {
  const folder = mkdtempSync(join(tmpdir(), "log-file-"));
  folders.push(folder);
  const path = join(folder, "access.log");
  const failures: string[] = [];
  return { path, failures, file: new LogFile(path, systemClock, noting(failures)) };
}

/** A file whose looks come when the test says so. */
function watched(path = join(mkdtempSync(join(tmpdir(), "log-file-")), "access.log")): {
  readonly path: string;
  readonly told: string[];
  readonly file: LogFile;
  tick(): void;
} {
  if (!path.startsWith("/dev")) folders.push(dirname(path));
  const told: string[] = [];
  let look = (): void => undefined;
  const clock = { now: () => 0, after: (_ms: number, callback: () => void) => ((look = callback), () => undefined) };
  const file = new LogFile(path, clock, noting(told));
  const tick = (): void => look();
  return { path, told, file, tick };
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
    const other = new LogFile(path, systemClock, noting([]));
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
    const file = new LogFile("/dev/full", systemClock, noting(failures));
    file.write("a\n");
    file.write("b\n");
    file.end();
    expect(failures).toEqual(["failing, losing: ENOSPC", "gave up: 2"]);
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
      let code;
      const file = new LogFile("access.log", clock, {
        failing: (error) => void (code = error.code),
        well: () => undefined,
        gaveUp: (lines) => void lost.push([code, lines]),
      });
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

  test("trouble is told once when it begins and once when it is over, with what was lost, however long it takes", () => {
    const { told, file, path, tick } = watched();
    file.write("before\n");
    tick();
    rmSync(dirname(path), { recursive: true });
    tick();
    for (let n = 0; n < 5; n++) {
      file.write(`lost ${n}\n`);
      tick();
    }
    expect(told).toEqual(["failing, losing: ENOENT"]);
    mkdirSync(dirname(path));
    tick();
    file.write("after\n");
    tick();
    expect(told.slice(1)).toEqual(["well: 5"]);
    for (let n = 0; n < 5; n++) tick();
    file.end();
    expect([told.length, readFileSync(path, "utf8")]).toEqual([2, "after\n"]);
  });

  test("a file that was renamed, in whose place none can be made, goes on to be written, and nothing is lost", () => {
    const { told, file, path, tick } = watched();
    renameSync(path, `${path}.1`);
    mkdirSync(path);
    tick();
    for (let n = 0; n < 5; n++) {
      file.write(`line ${n}\n`);
      tick();
    }
    expect(told).toEqual(["failing: EISDIR"]);
    rmSync(path, { recursive: true });
    tick();
    file.write("new\n");
    tick();
    file.end();
    expect(told.slice(1)).toEqual(["well: 0"]);
    expect([readFileSync(`${path}.1`, "utf8").split("\n").length, readFileSync(path, "utf8")]).toEqual([6, "new\n"]);
  });

  test("a disk that takes nothing is not said to be well only because nothing was written", () => {
    const { told, file, tick } = watched("/dev/full");
    for (let n = 0; n < 6; n++) {
      if (n % 2 === 0) file.write("a\n");
      tick();
    }
    expect(told).toEqual(["failing, losing: ENOSPC"]);
    file.end();
    expect(told.slice(1)).toEqual(["gave up: 3"]);
  });

  test("a folder that is not there is an error at once", () => {
    expect(() => new LogFile("/nowhere/at/all.log", systemClock, noting([]))).toThrow("ENOENT");
  });
});
