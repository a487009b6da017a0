import { spawn } from "node:child_process";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import {
  bindDescriptor,
  freePort,
  load,
  lost,
  makeTemporaryFolder,
  openRaw,
  spawnTsserve,
  until,
  type SpawnOptions,
  type TsserveProcess,
} from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { run } from "./support/run.ts";

const app = (greeting: string): string => `let requests = 0;
export const makeApp = () => (request, response) => {
  requests += 1;
  if (request.url === "/slow") setTimeout(() => response.end("slow"), 1500);
  else if (request.url === "/block") for (const end = Date.now() + 30_000; Date.now() < end; );
  else if (request.url === "/die") process.kill(process.pid, "SIGKILL");
  else response.end(JSON.stringify({ greeting: "${greeting}", pid: process.pid, index: process.env.EINHORN_CHILD_INDEX }));
};
`;

interface Fleet extends TsserveProcess {
  readonly folder: string;
  readonly port: number;
  readonly socket: string;
  write(name: string, text: string): void;
  /** Runs `tsserve ctl`. */
  ctl(...args: string[]): ReturnType<typeof run>;
  status(): Promise<{
    generation: number;
    workers: { index: number; generation: number; pid: number; state: string; requests_total: number }[];
  }>;
  /** Waits until so many workers are up, and no others are there. */
  settled(count: number): Promise<Awaited<ReturnType<Fleet["status"]>>>;
}

interface FleetOptions extends Partial<SpawnOptions> {
  readonly workers?: number;
  readonly server?: string;
  readonly app?: string;
}

async function serveFleet({ workers = 2, server = "", app: source = app("one"), ...options }: FleetOptions = {}): Promise<Fleet> {
  const port = await freePort();
  const folder = makeTemporaryFolder({
    "package.json": '{"type":"module"}',
    "app.js": source,
    "app.ini": `[server:main]\nfactory = tsserve/http\naccess_log = false\ncontrol_socket = ./ctl.sock\n${server}\n[app:main]\nfactory = ./app.js\n`,
  });
  const spawned = spawnTsserve({
    ...options,
    args: ["app.ini", "--bind", `127.0.0.1:${port}`, "--workers", String(workers), ...(options.args ?? [])],
    cwd: folder.path,
  });
  const ctl = (...args: string[]): ReturnType<typeof run> => run({}, ["ctl", ...args], { cwd: folder.path });
  const status = async (): ReturnType<Fleet["status"]> =>
    JSON.parse((await ctl("status", "--json", "--socket", "ctl.sock")).stdout) as Awaited<ReturnType<Fleet["status"]>>;
  return {
    ...spawned,
    folder: folder.path,
    port,
    socket: `${folder.path}/ctl.sock`,
    write: (name, text) => writeFileSync(`${folder.path}/${name}`, text),
    ctl: (...args) => ctl(...args, "--socket", "ctl.sock"),
    status,
    settled: (count) =>
      until(`${count} workers`, async () => {
        const now = await status();
        return now.workers.length === count && now.workers.every(({ state }) => state === "up") ? now : undefined;
      }),
    [Symbol.asyncDispose]: async () => {
      // Workers are in groups of their own: they leave when their master has gone.
      spawned.kill("SIGTERM");
      await spawned.exited(20_000).catch(() => undefined);
      await spawned[Symbol.asyncDispose]();
      folder.remove();
    },
  };
}

const up = (fleet: Fleet, count: number): Promise<unknown> =>
  until(`${count} workers up`, () => fleet.logs().filter(({ msg }) => msg.endsWith(" is up")).length >= count);
const get = async (fleet: Fleet, path = "/"): Promise<{ greeting: string; pid: number }> =>
  (await (await fetch(`http://127.0.0.1:${fleet.port}${path}`, { headers: { Connection: "close" } })).json()) as {
    greeting: string;
    pid: number;
  };
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe("a master with workers", () => {
  test("serves with all of them, tells how they are, and stops them all", async () => {
    await using fleet = await serveFleet({ workers: 3 });
    await up(fleet, 3);
    const pids = new Set<number>();
    await until("each to have answered", async () => pids.add((await get(fleet)).pid).size === 3);
    const { workers } = await fleet.status();
    expect(workers.map(({ index, generation, state }) => [index, generation, state])).toEqual([
      [0, 1, "up"],
      [1, 1, "up"],
      [2, 1, "up"],
    ]);
    expect(new Set(workers.map(({ pid }) => pid))).toEqual(pids);
    await until("the requests to be reported", async () => (await fleet.status()).workers.every(({ requests_total: total }) => total > 0));
    const { stdout } = await fleet.ctl("status");
    expect(stdout).toMatch(/^master \d+, generation 1\nWORKER +GEN +PID +STATE +AGE +ACTIVE +REQUESTS +MEMORY +LOOP\n {5}0 +1 +\d+ +up/);
    // Only for its user.
    expect(statSync(fleet.socket).mode & 0o777).toBe(0o600);
    fleet.kill("SIGTERM");
    expect(await fleet.exited()).toMatchObject({ code: 0 });
    expect([...pids].filter(isAlive)).toEqual([]);
    expect(fleet.logs().at(-1)).toMatchObject({ msg: "stopped", exit_code: 0, logger: "tsserve.master" });
  });

  test("requests in progress are answered when it stops", async () => {
    await using fleet = await serveFleet();
    await up(fleet, 2);
    using raw = await openRaw(`http://127.0.0.1:${fleet.port}`);
    raw.send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await until("it to arrive", async () => (await fleet.ctl("status", "--json")).stdout.includes('"active_requests":1'));
    fleet.kill("SIGTERM");
    expect(await raw.closed()).toMatch(/200 OK[^]*slow$/);
    expect(await fleet.exited()).toMatchObject({ code: 0 });
  });

  test("a worker that is killed is replaced at once, and only its own requests fail", async () => {
    await using fleet = await serveFleet();
    await up(fleet, 2);
    const before = new Set((await fleet.settled(2)).workers.map(({ pid }) => pid));
    const died = await fetch(`http://127.0.0.1:${fleet.port}/die`).catch(() => "reset");
    expect(died).toBe("reset");
    await up(fleet, 3);
    const after = (await fleet.settled(2)).workers.map(({ pid }) => pid);
    expect(after.filter((pid) => before.has(pid))).toHaveLength(1);
    expect((await get(fleet)).greeting).toBe("one");
    expect(fleet.logs().some(({ msg, level }) => level === "error" && /worker=\d gen=1 pid=\d+ was ended by SIGKILL/.test(msg))).toBe(true);
  });

  test("SIGTTIN and SIGTTOU, ctl inc, dec and workers: more and fewer", async () => {
    await using fleet = await serveFleet();
    await up(fleet, 2);
    fleet.kill("SIGTTIN");
    await fleet.settled(3);
    fleet.kill("SIGTTOU");
    await fleet.settled(2);
    expect(await fleet.ctl("workers", "4")).toMatchObject({ code: 0, stdout: "workers: 4\n" });
    await fleet.settled(4);
    await fleet.ctl("dec");
    await fleet.settled(3);
    await fleet.ctl("inc");
    await fleet.settled(4);
    expect(await fleet.ctl("workers", "0")).toMatchObject({ code: 1, stderr: "expected a number of workers from 1 to 1024, found 0\n" });
    expect(await fleet.ctl("stop")).toMatchObject({ code: 0 });
    expect(await fleet.exited()).toMatchObject({ code: 0 });
  });

  test("when the master is killed, the workers finish what they have, and leave", async () => {
    await using fleet = await serveFleet();
    await up(fleet, 2);
    const { workers } = await fleet.settled(2);
    using raw = await openRaw(`http://127.0.0.1:${fleet.port}`);
    raw.send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await new Promise((resolve) => setTimeout(resolve, 100));
    fleet.kill("SIGKILL");
    expect(await raw.closed()).toMatch(/200 OK[^]*slow$/);
    await until("the workers to leave", () => !workers.some(({ pid }) => isAlive(pid)));
  });

  test("with no worker alive, clients wait", async () => {
    await using fleet = await serveFleet({ workers: 1, app: `await new Promise((resolve) => setTimeout(resolve, 700));\n${app("late")}` });
    await until("the socket", () => fleet.logs().some(({ msg }) => msg.startsWith("master of")));
    expect((await get(fleet)).greeting).toBe("late");
  });
});

describe("an upgrade", () => {
  for (const upgrade of ["smooth", "fleet"]) {
    test(`loses nothing under load, and reads code and configuration anew: ${upgrade}`, async () => {
      await using fleet = await serveFleet({ server: `upgrade = ${upgrade}\ndrain_time = 300 milliseconds` });
      await up(fleet, 2);
      const end = new AbortController();
      const options = { port: fleet.port, clients: 12, expect: (body: string) => body.includes('"greeting"'), signal: end.signal };
      const loads = [load({ ...options, keepAlive: true }), load({ ...options, keepAlive: false })];
      try {
        for (const generation of [2, 3, 4]) {
          fleet.write("app.js", app(`generation ${generation}`));
          if (generation === 3) fleet.kill("SIGHUP");
          else expect(await fleet.ctl("upgrade")).toMatchObject({ code: 0 });
          await until("the new generation", async () => (await fleet.status()).generation === generation);
          await fleet.settled(2);
          expect((await get(fleet)).greeting).toBe(`generation ${generation}`);
        }
      } finally {
        end.abort();
      }
      for (const result of await Promise.all(loads)) {
        expect([lost(result), result.failures]).toEqual([0, []]);
        expect(result.ok).toBeGreaterThan(100);
      }
    });
  }

  test("of broken code is given up: the reason is told, and the old workers serve on", async () => {
    await using fleet = await serveFleet();
    await up(fleet, 2);
    const before = (await fleet.settled(2)).workers.map(({ pid }) => pid);
    fleet.write("app.js", "throw new Error('this is broken');");
    const { code, stderr } = await fleet.ctl("upgrade");
    expect(code).toBe(1);
    expect(stderr).toMatch(/^worker 2 of generation 2 ended before it came up:\n[^]*this is broken/);
    const log = fleet.logs().find(({ msg }) => msg.startsWith("generation 2 is abandoned"));
    expect(log).toMatchObject({ level: "error", worker: 2, gen: 2 });
    expect(String(log?.["last_words"])).toContain("this is broken");
    expect((await fleet.settled(2)).workers.map(({ pid }) => pid)).toEqual(before);
    // A wrong file, too.
    fleet.write("app.js", app("good again"));
    const ini = readFileSync(`${fleet.folder}/app.ini`, "utf8");
    fleet.write("app.ini", ini.replace("access_log", "acess_log"));
    expect((await fleet.ctl("upgrade")).stderr).toContain('acess_log: unknown key, did you mean "access_log"?');
    fleet.write("app.ini", ini);
    expect(await fleet.ctl("upgrade")).toMatchObject({ code: 0 });
    expect((await get(fleet)).greeting).toBe("good again");
  });

  test("of a factory that hangs is given up after start_timeout", async () => {
    await using fleet = await serveFleet({ server: "start_timeout = 2 seconds" });
    await up(fleet, 2);
    fleet.write("app.js", "export const makeApp = () => new Promise(() => setInterval(() => {}, 1000));");
    const { code, stderr } = await fleet.ctl("upgrade");
    expect([code, stderr]).toEqual([1, "worker 2 of generation 2 did not come up within start_timeout\n"]);
    expect((await get(fleet)).greeting).toBe("one");
    await fleet.settled(2);
  });

  test("during an upgrade begins anew", async () => {
    await using fleet = await serveFleet({ server: "drain_time = 500 milliseconds" });
    await up(fleet, 2);
    fleet.write("app.js", app("two"));
    const first = fleet.ctl("upgrade");
    await until("the first one", () => fleet.logs().some(({ msg }) => msg === "upgrading to generation 2"));
    fleet.write("app.js", app("three"));
    expect(await fleet.ctl("upgrade", "--no-wait")).toMatchObject({ code: 0, stdout: "the upgrade has begun\n" });
    const { code, stderr } = await first;
    // It may have been over by then.
    if (code !== 0) expect([code, stderr]).toEqual([1, "another upgrade has begun\n"]);
    await until("the third generation", async () => (await fleet.status()).generation === 3);
    await fleet.settled(2);
    expect((await get(fleet)).greeting).toBe("three");
  });
});

describe("a worker", () => {
  for (const [limit, reason] of [
    ["max_requests = 20", /is replaced: max_requests: it has served \d+/],
    ["max_age = 2 seconds", /is replaced: max_age: it is \d+ s old/],
    ["max_memory = 1M", /is replaced: max_memory: it has \d+ MB/],
  ] as const) {
    test(`is replaced before it stops accepting: ${limit}`, async () => {
      await using fleet = await serveFleet({ server: `${limit}\ndrain_time = 200 milliseconds` });
      await up(fleet, 2);
      const end = new AbortController();
      const result = load({
        port: fleet.port,
        clients: 4,
        keepAlive: true,
        expect: (body) => body.includes('"greeting"'),
        signal: end.signal,
      });
      await fleet.log(reason);
      await up(fleet, 4);
      end.abort();
      const { failures, ...counts } = await result;
      expect([lost({ failures, ...counts }), failures]).toEqual([0, []]);
    });
  }

  test("that stands still is reported with its stack, replaced, and killed", async () => {
    await using fleet = await serveFleet({ server: "worker_timeout = 2 seconds" });
    await up(fleet, 2);
    await until("both to report", async () =>
      (await fleet.status()).workers.every(({ requests_total: total }) => typeof total === "number"),
    );
    const blocked = fetch(`http://127.0.0.1:${fleet.port}/block`).catch(() => "cut");
    await fleet.log(/worker=\d gen=1 pid=\d+ has stood still for \d+ ms: its stack follows, it is replaced and killed/);
    await up(fleet, 3);
    expect(await blocked).toBe("cut");
    await until("the stack", () => fleet.logs().some((line) => line.level === "warn" && JSON.stringify(line).includes("app.js")));
    await fleet.settled(2);
    expect((await get(fleet)).greeting).toBe("one");
  });
});

describe("a master that can't serve", () => {
  test("exits with 3 and the workers' last words when none comes up", async () => {
    const fleet = await serveFleet({ app: "throw new Error('never works');" });
    expect(await fleet.exited()).toMatchObject({ code: 3 });
    expect(fleet.stderr()).toContain("never works");
    expect(fleet.logs().some(({ msg, level }) => level === "fatal" && msg === "none of the workers came up")).toBe(true);
    await fleet[Symbol.asyncDispose]();
  });

  test("exits with 2 when the configuration is wrong", async () => {
    const fleet = await serveFleet({ server: "max_concurrency = many" });
    expect(await fleet.exited()).toMatchObject({ code: 2 });
    expect(fleet.stderr()).toContain("max_concurrency: expected");
    await fleet[Symbol.asyncDispose]();
    expect(
      await run({ "app.ini": "[server:main]\nfactory = tsserve/http\n[app:main]\nfactory = ./a.js\n" }, ["app.ini", "--workers", "none"]),
    ).toMatchObject({
      code: 2,
      stderr: 'tsserve: --workers: expected a number from 1 to 1024, or auto, found "none"\nTry tsserve --help.\n',
    });
  });

  test("exits with 3 when the address is taken", async () => {
    await using holder = await serveFleet({ workers: 1 });
    await up(holder, 1);
    const files = { "app.ini": "[server:main]\nfactory = tsserve/http\n[app:main]\nfactory = ./a.js\n" };
    const { code, stderr } = await run(files, ["app.ini", "--workers", "2", "--bind", `127.0.0.1:${holder.port}`]);
    expect([code, stderr]).toEqual([
      3,
      `cannot listen on 127.0.0.1:${holder.port}: the address is already in use by another process (EADDRINUSE)\n`,
    ]);
  });
});

describe("the control socket", () => {
  test("answers what is no command, and lives through whatever comes", async () => {
    await using fleet = await serveFleet({ workers: 1 });
    await up(fleet, 1);
    const say = async (text: string | Buffer): Promise<string> => {
      using raw = await openRaw(fleet.socket);
      raw.send(text);
      return await raw.receives(/^.*\n/);
    };
    const noCommand = 'expected a JSON object with a command, such as {"command":"status"}';
    for (const text of ["hello\n", "[1]\n", "null\n", '{"command":7}\n', '{"a":{}}\n', Buffer.from([0xff, 0xfe, 0x0a])]) {
      expect(JSON.parse(await say(text))).toEqual({ ok: false, error: noCommand });
    }
    expect(JSON.parse(await say('{"command":"dance"}\n'))).toMatchObject({
      ok: false,
      error: expect.stringContaining('unknown command "dance"') as string,
    });
    expect(JSON.parse(await say('{"command":"signal","signal":"KILLALL"}\n'))).toMatchObject({ ok: false });
    expect(JSON.parse(await say('{"command":"workers","count":1e9}\n'))).toMatchObject({ ok: false });
    expect(JSON.parse(await say("x".repeat(70_000)))).toMatchObject({ ok: false, error: "a line is longer than 65536 characters" });
    // An ACK of nobody, a half line, and one who leaves at once.
    using half = await openRaw(fleet.socket);
    half.send('{"command":"worker:ack","pid":1}\n{"comm');
    connect(fleet.socket).destroy();
    expect((await fleet.status()).workers).toHaveLength(1);
  });

  test("tsserve ctl tells what is wrong", async () => {
    expect(await run({}, ["ctl", "status"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("expected --socket PATH, or TSSERVE_SOCKET") as string,
    });
    expect(await run({}, ["ctl", "status", "--socket", "none.sock"])).toMatchObject({
      code: 1,
      stderr: "none.sock: there is no such socket: is the master running?\n",
    });
    expect(await run({}, ["ctl", "workers", "--socket", "none.sock"])).toMatchObject({ code: 2 });
    expect(await run({}, ["ctl", "dance"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("expected tsserve ctl status|upgrade") as string,
    });
  });
});

test("SIGUSR1 is passed on: each worker logs its stacks", async () => {
  await using fleet = await serveFleet();
  await up(fleet, 2);
  fleet.kill("SIGUSR1");
  await until(
    "both",
    () =>
      new Set(
        fleet
          .logs()
          .filter(({ level, logger }) => level === "warn" && logger === "tsserve")
          .map(({ pid }) => pid),
      ).size === 2,
  );
});

describe("systemd's socket activation", () => {
  for (const workers of [[], ["--workers", "2"]]) {
    test(`is one more source of sockets: ${workers.join(" ") || "a single process"}`, async () => {
      using bound = bindDescriptor();
      const files = {
        "package.json": '{"type":"module"}',
        "app.js": app("activated"),
        "app.ini": "[server:main]\nfactory = tsserve/http\n[app:main]\nfactory = ./app.js\n",
      };
      const folder = makeTemporaryFolder(files);
      const bin = fileURLToPath(new URL("../packages/tsserve/bin/tsserve.js", import.meta.url));
      // The pid is known to the process alone.
      const script = `LISTEN_PID=$$ LISTEN_FDS=1 exec "${process.env["TSSERVE_TEST_NODE"] ?? process.execPath}" "${bin}" app.ini ${workers.join(" ")}`;
      const child = spawn("/bin/sh", ["-c", script], { cwd: folder.path, stdio: ["ignore", "pipe", "inherit", bound.fd] });
      let output = "";
      child.stdout?.on("data", (bytes: Buffer) => (output += bytes.toString()));
      try {
        await until("it to serve", () => output.includes("listening on"));
        const answer = await fetch(`http://127.0.0.1:${bound.port}/`);
        expect(await answer.json()).toMatchObject({ greeting: "activated" });
      } finally {
        child.kill("SIGTERM");
        expect(await new Promise((resolve) => child.once("exit", resolve))).toBe(0);
        folder.remove();
      }
    });
  }
});
