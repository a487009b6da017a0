import { spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { makeTemporaryFolder, until } from "@tsserve/testing";
import { expect, test } from "vitest";
import { serve, type Served } from "./support/serve.ts";

/** How a place is lost, and how it is given back. */
const losses = {
  full: {
    lose: async (place: string) => {
      const file = openSync(join(place, "filler"), "w");
      try {
        for (;;) writeSync(file, Buffer.alloc(4096));
      } catch {
        closeSync(file);
      }
    },
    giveBack: (place: string) => rmSync(join(place, "filler")),
  },
  // What was open before goes on being written: what is opened from now on is what is refused.
  "read-only": {
    lose: async (place: string) => {
      expect(run("mount", "--bind", place, place)).toBe(true);
      // As long as a file that was opened since is open for writing, the kernel refuses (EBUSY).
      await until(`${place} to be read-only`, () => run("mount", "-o", "remount,bind,ro", place));
    },
    giveBack: (place: string) => run("umount", "-l", place),
  },
} as const;
type Loss = keyof typeof losses;

function run(command: string, ...args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}

/** What is in a place of its own: what is said when it is lost, and when it is back. */
interface Place {
  readonly said?: RegExp;
  readonly saidAfterwards?: RegExp;
  /** What must be true of a place that is back. */
  readonly isBack?: (server: Served, place: string) => boolean;
}

const places: Readonly<Record<string, Readonly<Record<Loss, Place>>>> = {
  log: {
    full: {
      said: /^the access log .* can't be written: lines are lost until it can: ENOSPC/,
      saidAfterwards: /^the access log .* is written again/,
      isBack: (_server, place) => readFileSync(join(place, "access.log"), "utf8").endsWith("}\n"),
    },
    // Those that run have it open.
    "read-only": {
      said: /^the access log .* can't be written: lines are lost until it can: EROFS/,
      saidAfterwards: /^the access log .* is written again/,
    },
  },
  metrics: {
    full: { said: /^metrics can't be written: .*ENOSPC/, saidAfterwards: /^metrics can be written again/ },
    "read-only": { said: /^metrics can't be written: .*EROFS/, saidAfterwards: /^metrics can be written again/ },
  },
  control: { full: {}, "read-only": {} },
  cache: { full: {}, "read-only": {} },
  profiles: { full: {}, "read-only": {} },
};

for (const [name, losing] of Object.entries(losses))
  test(`a disk that is ${name}, whatever it holds: no request is lost, workers begin, one sentence a process, and all heals`, async () => {
    const folder = makeTemporaryFolder();
    const placeOf = (place: string): string => join(folder.path, place);
    const mounted: string[] = [];
    try {
      for (const place of Object.keys(places)) {
        run("mkdir", placeOf(place));
        if (!run("mount", "-t", "tmpfs", "-o", "size=4m,mode=0755", "tmpfs", placeOf(place))) {
          console.log("no file system can be made here: the test of lost disks is skipped");
          return;
        }
        mounted.push(placeOf(place));
      }
      await using server = serve({
        app: "plain.js",
        args: ["--workers", "2"],
        server: {
          access_log: join(placeOf("log"), "access.log"),
          control_socket: join(placeOf("control"), "ctl.sock"),
          profile_dir: placeOf("profiles"),
        },
        env: { TMPDIR: placeOf("metrics"), XDG_CACHE_HOME: placeOf("cache") },
      });
      const base = await server.listening();
      const statuses = new Map<unknown, number>();
      const load = new AbortController();
      const loading = (async () => {
        while (!load.signal.aborted) {
          const answer = await fetch(base, { headers: { connection: "close" } }).then(
            async (response) => (await response.text(), response.status),
            (error: unknown) => String(error),
          );
          statuses.set(answer, (statuses.get(answer) ?? 0) + 1);
        }
      })();
      const count = (pattern: RegExp, from = 0): number =>
        server
          .logs()
          .slice(from)
          .filter(({ msg }) => pattern.test(msg)).length;
      // A worker that began in the midst of it would open its files on a place that then can't become read-only.
      await until("both workers", () => count(/^worker=\d gen=1 .*is up/) === 2);
      const lost = Object.entries(places).map(([place, kinds]) => ({ place, ...kinds[name as Loss] }));
      for (const { place } of lost) await losing.lose(placeOf(place));
      // Workers begin, too, while it is so.
      server.kill("SIGHUP");
      await until("new workers, and the end of the two before them", () => count(/^generation \d+ is up/) > 0 && count(/^stopped$/) >= 2);
      const gone = new Set(
        server
          .logs()
          .filter(({ msg }) => msg === "stopped")
          .map(({ pid }) => pid),
      );
      const isSaidBySome = (said: RegExp): boolean => server.logs().some(({ msg, pid }) => said.test(msg) && !gone.has(pid));
      for (const { place, said } of lost) if (said !== undefined) await until(`what is said of ${place}`, () => isSaidBySome(said));
      const before = server.logs().length;
      for (const { place } of lost) losing.giveBack(placeOf(place));
      for (const { place, saidAfterwards, isBack } of lost) {
        if (saidAfterwards !== undefined) await until(`what is said of ${place} then`, () => count(saidAfterwards, before) > 0);
        if (isBack !== undefined) await until(`${place} to be as before`, () => isBack(server, placeOf(place)));
      }
      // Of two workers, and of two in their places: each once.
      for (const { said } of lost) if (said !== undefined) expect(count(said)).toBeLessThanOrEqual(4);
      load.abort();
      await loading;
      expect([...statuses.keys()]).toEqual([200]);
      expect(server.logs().filter(({ msg }) => /was ended by|exited with [1-9]/.test(msg))).toEqual([]);
      server.kill();
      expect(await server.exited()).toEqual({ code: 0, signal: null });
    } finally {
      for (const each of mounted) while (run("umount", "-l", each));
      folder.remove();
    }
  });
