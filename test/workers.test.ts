import { spawn } from "node:child_process";
import { statSync } from "node:fs";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { bindDescriptor, makeTemporaryFolder, openRaw, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { app, busy, get, isAlive, serveFleet, up } from "./support/fleet.ts";
import { Loads } from "./support/loads.ts";
import { run } from "./support/run.ts";

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
    await busy(fleet);
    fleet.kill("SIGTERM");
    expect(await raw.closed()).toMatch(/200 OK[^]*slow$/);
    expect(await fleet.exited()).toMatchObject({ code: 0 });
  });

  test("a stopping fleet refuses new clients at once, rather than let them wait for nobody", async () => {
    const waits = `import { existsSync } from "node:fs";
export const makeApp = () => (request, response) => {
  const look = () => (existsSync("go") ? response.end("gone") : setTimeout(look, 20));
  look();
};`;
    await using fleet = await serveFleet({ app: waits, server: "stop_timeout = 60" });
    await up(fleet, 2);
    using raw = await openRaw(`http://127.0.0.1:${fleet.port}`);
    raw.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await busy(fleet);
    fleet.kill("SIGTERM");
    await until("a client to be refused", async () => {
      using late = await openRaw(`http://127.0.0.1:${fleet.port}`);
      return late.error === "ECONNREFUSED";
    });
    // The request in progress is still waited for.
    expect(raw.isClosed).toBe(false);
    fleet.write("go", "");
    expect(await raw.closed()).toMatch(/200 OK[^]*gone$/);
    expect(await fleet.exited()).toMatchObject({ code: 0 });
  });

  test("clients that the kernel has connected are answered when the fleet stops, though no worker had accepted them", async () => {
    const stands = `import { existsSync } from "node:fs";
export const makeApp = () => (request, response) => {
  if (request.url === "/stand-still") {
    console.log("it stands still");
    while (!existsSync("go"));
  }
  response.end("done");
};`;
    await using fleet = await serveFleet({ workers: 1, app: stands });
    await up(fleet, 1);
    const ask = async (path: string): Promise<Awaited<ReturnType<typeof openRaw>>> => {
      const raw = await openRaw(`http://127.0.0.1:${fleet.port}`);
      raw.send(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      return raw;
    };
    const clients = [await ask("/stand-still")];
    await until("it to stand still", () => fleet.stdout().includes("it stands still"));
    while (clients.length < 40) clients.push(await ask("/"));
    fleet.kill("SIGTERM");
    await until("the order", () => fleet.logs().some(({ msg }) => msg.endsWith("is told to stop")));
    fleet.write("go", "");
    for (const each of clients) expect(await each.closed()).toMatch(/200 OK[^]*done$/);
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
    await until("it to begin", () => fleet.stdout().includes("/slow begins"));
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

describe("a worker", () => {
  for (const [limit, reason] of [
    ["max_requests = 20", /is replaced: max_requests: it has served \d+/],
    ["max_age = 2 seconds", /is replaced: max_age: it is \d+ s old/],
    ["max_memory = 1M", /is replaced: max_memory: it has \d+ MB/],
  ] as const) {
    test(`is replaced before it stops accepting: ${limit}`, async () => {
      await using fleet = await serveFleet({ server: `${limit}\ndrain_time = 1 second` });
      await up(fleet, 2);
      const loads = new Loads(fleet.port);
      loads.begin("kept", { clients: 4, keepAlive: true, expect: (body) => body.includes('"greeting"') });
      await fleet.log(reason);
      await up(fleet, 4);
      expect(await loads.end()).toEqual({});
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

test("a worker that ignores its stop is killed after its deadline, and the log says what it was doing", async () => {
  await using fleet = await serveFleet({ workers: 1, server: "stop_timeout = 1 second" });
  await up(fleet, 1);
  // Its watchdog starts a little later.
  await until("it to report", async () => (await fleet.status()).workers.every(({ requests_total: total }) => typeof total === "number"));
  const blocked = fetch(`http://127.0.0.1:${fleet.port}/block`).catch(() => "cut");
  await until("it to begin", () => fleet.stdout().includes("/block begins"));
  fleet.kill("SIGTERM");
  await fleet.log(/worker=0 gen=1 pid=\d+ is killed: did not stop in time; what it is doing follows/);
  expect(await fleet.exited()).toMatchObject({ code: 1 });
  expect(await blocked).toBe("cut");
  const stack = fleet.logs().find((line) => line.level === "warn" && String(line["stack"]).includes("app.js"));
  expect(stack?.["requests"]).toMatchObject([{ method: "GET", route: "/block" }]);
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

  test("understands Einhorn's shell: YAML on an escaped line", async () => {
    await using fleet = await serveFleet({ workers: 1 });
    await up(fleet, 1);
    using raw = await openRaw(fleet.socket);
    let asked = 0;
    const say = async (command: string, ...args: (string | number)[]): Promise<{ message: string; request_id: string }> => {
      const id = `r${asked++}`;
      const list = args.length === 0 ? " []" : args.map((each) => `\n- ${each}`).join("");
      const document = `---\nid: ${id}\ncommand: ${command}\nargs:${list}\n`;
      raw.send(`${document.replaceAll("%", "%25").replaceAll("\n", "%0A")}\n`);
      const answer = await raw.receives(new RegExp(`.*"request_id":"${id}".*\n`));
      return JSON.parse(decodeURIComponent(answer)) as Awaited<ReturnType<typeof say>>;
    };
    expect((await say("ehlo")).message).toMatch(/^tsserve, master \d+ of 1 workers; there are status, /);
    expect(JSON.parse((await say("state")).message)).toMatchObject({ generation: 1, workers: [{ index: 0, state: "up" }] });
    expect((await say("inc", 2)).message).toBe("workers: 3");
    expect((await say("dec")).message).toBe("workers: 2");
    expect((await say("signal", "SIGUSR1")).message).toBe("sent SIGUSR1 to every worker");
    expect((await say("signal")).message).toBe("Error: expected a signal such as SIGUSR1, found undefined");
    expect((await say("upgrade")).message).toMatch(/^generation 2 is up after \d+ ms$/);
    expect((await say("dance")).message).toMatch(/^Error: unknown command "dance"/);
    expect((await say("quit")).message).toBe("stopping");
    expect(await fleet.exited()).toMatchObject({ code: 0 });
  });

  test("tsserve ctl tells what is wrong", async () => {
    // Where no other test's servers are found.
    expect(await run({}, ["ctl", "status"], { env: { TMPDIR: "/nowhere", XDG_RUNTIME_DIR: "" } })).toMatchObject({
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
