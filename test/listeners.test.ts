import { existsSync, lstatSync } from "node:fs";
import { createServer } from "node:net";
import { bindDescriptor, freePort, openRaw, spawnTsserve, until, workerEnvironment } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { serve, type Served } from "./support/serve.ts";

const get = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

async function addresses(server: Served): Promise<string[]> {
  return (await server.log(/^listening on/))["addresses"] as string[];
}

async function answers(where: string): Promise<boolean> {
  using raw = await openRaw(where);
  raw.send(get);
  return (await raw.closed()).startsWith("HTTP/1.1 200");
}

describe("where it listens", () => {
  test("localhost is both of its addresses", async () => {
    const port = await freePort();
    await using server = serve({ bind: [`localhost:${port}`] });
    const all = await addresses(server);
    expect(all).toContain(`http://127.0.0.1:${port}`);
    for (const each of all) expect(await answers(each)).toBe(true);
  });

  test("IPv6", async () => {
    await using server = serve({ bind: ["[::1]:0"] });
    const [address = ""] = await addresses(server);
    expect(address).toMatch(/^http:\/\/\[::1\]:\d+$/);
    expect(await answers(address)).toBe(true);
  });

  // 127.0.0.2 is an address of Linux's loopback interface that `localhost` is not.
  const other = process.platform === "linux" ? "127.0.0.2" : "127.0.0.1";

  test.each(["hello.js", "express.js", "fetch.js", "plain.js"])("all interfaces, whatever the app: %s", async (app) => {
    await using server = serve({ app, bind: [":0"] });
    const [address = ""] = await addresses(server);
    for (const host of ["127.0.0.1", other]) expect(await answers(`http://${host}:${new URL(address).port}`)).toBe(true);
  });

  test("all interfaces, said twice", async () => {
    const port = await freePort();
    await using server = serve({ bind: [`0.0.0.0:${port}`, `[::]:${port}`, `127.0.0.1:${port}`] });
    expect(await addresses(server)).toHaveLength(1);
    for (const host of ["127.0.0.1", other]) expect(await answers(`http://${host}:${port}`)).toBe(true);
  });

  test("several at once, and a stop refuses on all of them", async () => {
    await using server = serve({ bind: ["127.0.0.1:0", "[::1]:0", "./app.sock"] });
    const [v4 = "", v6 = ""] = await addresses(server);
    const all = [v4, v6, `${server.folder}/app.sock`];
    for (const each of all) expect(await answers(each)).toBe(true);
    server.kill();
    expect((await server.exited()).code).toBe(0);
    for (const each of all) expect((await openRaw(each)).error).toMatch(/ECONNREFUSED|ENOENT/);
  });

  test("an address that is not this machine's: exit code 3", async () => {
    await using server = serve({ bind: ["192.0.2.1:80"] });
    expect((await server.exited()).code).toBe(3);
    expect(server.stderr()).toMatch(/^cannot listen on 192\.0\.2\.1:80: .*\((EADDRNOTAVAIL|EACCES)\)\n$/);
  });

  test("a host that is not known: exit code 3", async () => {
    await using server = serve({ bind: ["no-such-host.invalid:80"] });
    expect((await server.exited()).code).toBe(3);
    expect(server.stderr()).toMatch(/^cannot listen on no-such-host\.invalid:80: the host name /);
  });
});

describe("a unix socket", () => {
  test("is served, and its file is removed at the exit", async () => {
    await using server = serve({ bind: ["./app.sock"] });
    await server.log(/^listening/);
    const path = `${server.folder}/app.sock`;
    expect(await answers(path)).toBe(true);
    server.kill();
    await server.exited();
    expect(existsSync(path)).toBe(false);
  });

  test("a stale file is replaced", async () => {
    await using first = serve({ bind: ["./app.sock"] });
    await first.log(/^listening/);
    const path = `${first.folder}/app.sock`;
    first.kill("SIGKILL");
    await first.exited();
    expect(lstatSync(path).isSocket()).toBe(true);
    await using second = serve({ bind: [path] });
    await second.log(/^listening/);
    expect(await answers(path)).toBe(true);
  });

  test("a live one is refused with exit code 3, and goes on", async () => {
    await using first = serve({ bind: ["./app.sock"] });
    await first.log(/^listening/);
    const path = `${first.folder}/app.sock`;
    await using second = serve({ bind: [path] });
    expect((await second.exited()).code).toBe(3);
    expect(second.stderr()).toBe(`cannot listen on ${path}: another process is listening there (EADDRINUSE)\n`);
    expect(await answers(path)).toBe(true);
  });

  test("a file that is no socket is left alone", async () => {
    await using server = serve({ bind: ["./app.ini"] });
    expect((await server.exited()).code).toBe(3);
    expect(server.stderr()).toMatch(/app\.ini: the file exists and is not a socket\n$/);
    expect(lstatSync(`${server.folder}/app.ini`).isFile()).toBe(true);
  });
});

describe("an inherited socket", () => {
  test("is served in the place of --bind, which is ignored with a warning", async () => {
    using bound = bindDescriptor();
    await using server = serve({ descriptors: [bound.fd], env: workerEnvironment() });
    await server.log(/^--bind is ignored: the master passed its sockets/);
    expect(await addresses(server)).toEqual([`http://127.0.0.1:${bound.port}`]);
    expect(await answers(`http://127.0.0.1:${bound.port}`)).toBe(true);
  });

  test("stays open for others when this process stops", async () => {
    using bound = bindDescriptor();
    await using server = serve({ descriptors: [bound.fd], env: workerEnvironment() });
    await server.listening();
    server.kill();
    expect((await server.exited()).code).toBe(0);
    using waits = await openRaw(`http://127.0.0.1:${bound.port}`);
    waits.send(get);
    await using next = serve({ descriptors: [bound.fd], env: workerEnvironment() });
    await next.listening();
    expect(await waits.closed()).toMatch(/^HTTP\/1\.1 200/);
  });

  test("that is not there, or no socket: exit code 2 or 3, and what was expected", async () => {
    await using missing = serve({ env: workerEnvironment({ EINHORN_FD_0: "77" }) });
    expect((await missing.exited()).code).toBeGreaterThanOrEqual(2);
    expect(missing.stderr()).toMatch(/EINHORN_FD_0/);
    await using garbage = serve({ env: workerEnvironment({ EINHORN_FD_COUNT: "two" }) });
    expect((await garbage.exited()).code).toBe(2);
    expect(garbage.stderr()).toMatch(/EINHORN_FD_COUNT[^]*"two"/);
  });

  test("the variables of another process's master mean nothing", async () => {
    await using server = serve({ env: workerEnvironment({ EINHORN_MASTER_PID: "1" }) });
    expect(await answers(await server.listening())).toBe(true);
  });

  test("the ACK comes when connections are accepted, not sooner", async () => {
    using bound = bindDescriptor();
    const path = `/tmp/tsserve-ack-${process.pid}.sock`;
    const lines: string[] = [];
    let answered: Promise<boolean> | undefined;
    const master = createServer((socket) =>
      socket.on("data", (chunk) => {
        lines.push(chunk.toString());
        answered = answers(`http://127.0.0.1:${bound.port}`);
      }),
    ).listen(path);
    await using server = serve({ descriptors: [bound.fd], env: workerEnvironment({ EINHORN_SOCK_PATH: path }) });
    await server.listening();
    await until("the ACK", () => lines.length > 0);
    expect(lines.join("")).toBe(`{"command":"worker:ack","pid":${server.pid}}\n`);
    expect(await answered).toBe(true);
    master.close();
  });

  test("the ACK goes to a descriptor where no path is given", async () => {
    using bound = bindDescriptor();
    const path = `/tmp/tsserve-ack-fd-${process.pid}.sock`;
    let said = "";
    const master = createServer((socket) => socket.on("data", (chunk) => (said += chunk.toString()))).listen(path);
    using channel = await openRaw(path);
    const { fd } = (channel.socket as unknown as { _handle: { fd: number } })._handle;
    const env = workerEnvironment({ EINHORN_SOCK_FD: "4" });
    await using server = serve({ descriptors: [bound.fd, fd], env });
    await server.listening();
    await until("the ACK", () => said !== "");
    expect(said).toBe(`{"command":"worker:ack","pid":${server.pid}}\n`);
    master.close();
  });

  test("a master that does not listen for the ACK: exit code 3, and what that probably means", async () => {
    using bound = bindDescriptor();
    await using server = serve({ descriptors: [bound.fd], env: workerEnvironment({ EINHORN_SOCK_PATH: "/tmp/tsserve-none.sock" }) });
    expect((await server.exited()).code).toBe(3);
    expect(server.stderr()).toContain(
      "could not acknowledge to the master at EINHORN_SOCK_PATH=/tmp/tsserve-none.sock: connect ENOENT /tmp/tsserve-none.sock; the master has probably gone",
    );
  });
});

test("two processes at the same time on one port: one serves, the other exits 3", async () => {
  const port = await freePort();
  await using first = serve({ bind: [`127.0.0.1:${port}`] });
  await using second = serve({ bind: [`127.0.0.1:${port}`] });
  const exit = await Promise.race([first.exited(), second.exited()]);
  expect(exit.code).toBe(3);
  expect(await answers(`http://127.0.0.1:${port}`)).toBe(true);
});

test("spawnTsserve ends with its test", async () => {
  let pid: number;
  {
    await using server = spawnTsserve({ args: ["--version"] });
    pid = server.pid;
    await server.exited();
  }
  expect(() => process.kill(pid, 0)).toThrow("ESRCH");
});

describe("as the file says", () => {
  for (const workers of [undefined, "2"]) {
    const kind = workers === undefined ? "one process" : "workers";
    const keys = workers === undefined ? {} : { workers };

    test(`${kind}: bind, with the rights of a unix socket`, async () => {
      const port = await freePort();
      const server = { ...keys, bind: `127.0.0.1:${port}, ./app.sock`, socket_mode: "0600", backlog: "16" };
      await using served = serve({ bind: [], server });
      await until("both answer", async () => (await answers(`http://127.0.0.1:${port}`)) && (await answers(`${served.folder}/app.sock`)));
      expect(lstatSync(`${served.folder}/app.sock`).mode & 0o777).toBe(0o600);
    });

    test(`${kind}: host and port, and --bind wins, which is told`, async () => {
      const [inFile, other] = [await freePort(), await freePort()];
      const server = { ...keys, host: "127.0.0.1", port: String(inFile) };
      await using _ = serve({ bind: [], server });
      await until("it answers", () => answers(`http://127.0.0.1:${inFile}`));
      await using told = serve({ bind: [`127.0.0.1:${other}`], server: { ...server, "metrics.enabled": "false" } });
      await until("it answers", () => answers(`http://127.0.0.1:${other}`));
      expect(told.logs().filter(({ msg }) => msg === "--bind wins over where the file says to listen")).toHaveLength(1);
    });

    test(`${kind}: a descriptor`, async () => {
      using bound = bindDescriptor();
      await using _ = serve({ bind: [], server: { ...keys, bind: "fd://3" }, descriptors: [bound.fd] });
      await until("it answers", () => answers(`http://127.0.0.1:${bound.port}`));
    });
  }

  test("a descriptor that is none: exit code 3", async () => {
    await using served = serve({ bind: ["fd://77"] });
    expect((await served.exited()).code).toBe(3);
    expect(served.stderr()).toMatch(/^fd:\/\/77 names descriptor 77, which is not open/);
  });
});

/** The same Node, with so many descriptors. */
const limited = (count: number): { node: string; nodeArgs: string[] } => ({
  node: "/bin/sh",
  nodeArgs: ["-c", `ulimit -n ${count}; exec "$0" "$@"`, process.env["TSSERVE_TEST_NODE"] ?? process.execPath],
});

describe("descriptors that run out are told of", () => {
  const cases = ["tsserve/http", "tsserve/thrift"].flatMap((factory) =>
    [20, 21, 22, 23, 24, 25, 26, 28, 32].map((count) => [factory, count] as const),
  );

  test.concurrent.each(cases)("%s, with %i of them", async (factory, count) => {
    await using server = serve({
      app: factory === "tsserve/http" ? "plain.js" : "thrift-loaded.js",
      server: { factory, "metrics.enabled": "false" },
      ...limited(count),
    });
    const begun = await server.listening().catch(() => undefined);
    if (begun === undefined) {
      expect(await server.exited()).not.toMatchObject({ code: 0 });
      // What Node itself can't open while it loads a module has words of Node's.
      expect(server.stderr()).toMatch(/EMFILE|descriptors|too many open files|Cannot find module/);
    } else expect(server.logs().map(({ msg }) => msg)).toContainEqual(expect.stringMatching(/^file descriptors run out/));
  });
});
