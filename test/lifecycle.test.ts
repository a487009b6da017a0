import { openRaw, until, type RawConnection } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { serve, type Served } from "./support/serve.ts";

/** Sends a request that lasts until it is released, and waits until the server has it. */
async function beginSlow(server: Served, name: string): Promise<RawConnection> {
  const raw = await openRaw(await server.listening());
  raw.send(get(`/slow/${name}`));
  await server.log(new RegExp(`^slow ${name} has begun`));
  return raw;
}

function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
}

function messages(server: Served): string[] {
  return server.logs().map(({ msg }) => msg);
}

describe("start", () => {
  test("logs where it listens, and serves", async () => {
    await using server = serve();
    const base = await server.listening();
    expect(await (await fetch(base)).json()).toEqual({ hello: "world" });
  });

  test("a signal during the start ends the start, with exit code 0, and nothing was bound", async () => {
    await using server = serve({ app: "never-built.js" });
    await server.log(/^the factory has begun/);
    server.kill();
    expect(await server.exited()).toEqual({ code: 0, signal: null });
    expect(messages(server)).toContain("SIGTERM while starting the app: giving up the start");
    expect(server.stdout()).not.toMatch(/listening/);
  });

  test("a third signal ends a start at once, even when the app's hooks hang", async () => {
    await using server = serve({ app: "never-built.js", config: { hang_on_stop: "true" } });
    await server.log(/^the factory has begun/);
    server.kill();
    await server.log(/giving up the start/);
    server.kill();
    await server.log(/ending the drain/);
    server.kill();
    expect(await server.exited()).toEqual({ code: 143, signal: null });
  });

  test("a failed start undoes what it did, in reverse, and exits 3", async () => {
    await using holder = serve();
    const { port } = new URL(await holder.listening());
    await using server = serve({ app: "slow.js", bind: [`127.0.0.1:${port}`] });
    expect(await server.exited()).toEqual({ code: 3, signal: null });
    expect(server.stderr()).toContain(`cannot listen on 127.0.0.1:${port}: the address is already in use by another process (EADDRINUSE)`);
    expect(messages(server).filter((msg) => msg.endsWith("hook ran"))).toEqual(["the last hook ran", "the first hook ran"]);
  });

  test("a bind that fails frees what another bind already holds", async () => {
    await using holder = serve();
    const { port } = new URL(await holder.listening());
    await using server = serve({ bind: ["./first.sock", `127.0.0.1:${port}`] });
    expect((await server.exited()).code).toBe(3);
    await expect(openRaw(`${server.folder}/first.sock`).then((raw) => raw.error)).resolves.toBe("ENOENT");
  });
});

describe("stop", () => {
  for (const signal of ["SIGTERM", "SIGINT", "SIGUSR2", "SIGHUP"] as const) {
    test(`${signal} finishes what is in flight, accepts nothing new, and exits 0`, async () => {
      await using server = serve({ app: "slow.js", config: { release_on_stop: "true" } });
      using raw = await beginSlow(server, "a");
      server.kill(signal);
      await server.log(/^stopping/);
      await until("new connections to be refused", async () => {
        using late = await openRaw(await server.listening());
        return late.error === "ECONNREFUSED";
      });
      const answer = await raw.closed();
      expect(answer).toMatch(/^HTTP\/1.1 200 OK/);
      expect(answer).toMatch(/connection: close/i);
      expect(answer).toMatch(/\{"done":"a"\}$/);
      expect(await server.exited()).toEqual({ code: 0, signal: null });
    });
  }

  test("the hooks of the app run after the server, last registered first", async () => {
    await using server = serve({ app: "slow.js" });
    await server.listening();
    server.kill();
    await server.exited();
    const order = [
      "the app saw the shutdown",
      "SIGTERM: readiness fails from now on, no drain",
      "the last hook ran",
      "the first hook ran",
      "stopped",
    ];
    expect(messages(server).filter((msg) => order.includes(msg))).toEqual(order);
  });

  test("a hook that fails is logged, the others run, and the exit code is 1", async () => {
    await using server = serve({ app: "slow.js", config: { fail_on_stop: "true" } });
    await server.listening();
    server.kill();
    expect((await server.exited()).code).toBe(1);
    expect(messages(server)).toContain("the first hook ran");
    expect(server.stdout()).toContain("this hook fails");
  });

  test("a hook that hangs holds the stop until the deadline, and is named", async () => {
    await using server = serve({ app: "slow.js", server: { stop_timeout: "200 milliseconds" }, config: { hang_on_stop: "true" } });
    await server.listening();
    server.kill();
    expect((await server.exited()).code).toBe(1);
    await server.log(/^the app's hooks did not stop by the deadline; left behind/);
  });

  test("what is left at the deadline is cut, counted, and logged with method, route and age", async () => {
    await using server = serve({ app: "slow.js", server: { stop_timeout: "300 milliseconds" } });
    using first = await beginSlow(server, "a");
    using second = await beginSlow(server, "b");
    server.kill();
    expect((await server.exited()).code).toBe(1);
    await Promise.all([first.closed(), second.closed()]);
    const cuts = server.logs().filter(({ msg }) => msg.startsWith("cut at the stop deadline"));
    expect(cuts).toHaveLength(2);
    expect(cuts[0]).toMatchObject({ method: "GET", route: "/slow/:name" });
    expect(cuts[0]?.["ageMs"]).toBeGreaterThanOrEqual(300);
    expect(server.logs().find(({ msg }) => msg.includes("deadline cut"))).toMatchObject({ cut: 2, level: "warn" });
  });

  test("a streaming response is finished", async () => {
    await using server = serve({ app: "slow.js", config: { release_on_stop: "true" } });
    using raw = await openRaw(await server.listening());
    raw.send(get("/stream"));
    await raw.receives(/first,/);
    server.kill();
    expect(await raw.closed()).toMatch(/first,[^]*last[^]*0\r\n\r\n$/);
    expect((await server.exited()).code).toBe(0);
  });

  test("an idle keep-alive connection does not hold the stop, and lingers for a request on its way", async () => {
    // On a busy machine this client may come later than any that was on its way: then the connection has been closed, and it tries again.
    await until("a request within the time of lingering", async () => {
      await using server = serve({ app: "slow.js" });
      using raw = await openRaw(await server.listening());
      raw.send(get("/"));
      await raw.receives(/"state":"RUNNING"/);
      server.kill();
      await server.log(/^stopping/);
      raw.send(get("/"));
      const all = await raw.closed();
      expect((await server.exited()).code).toBe(0);
      return all.match(/HTTP\/1.1 200/g)?.length === 2 && all.includes('"shutting_down":true');
    });
  });

  test("neither a silent connection nor a half-sent request holds the stop", async () => {
    await using server = serve({ app: "slow.js", server: { stop_timeout: "1 hour" } });
    const base = await server.listening();
    using silent = await openRaw(base);
    using halfHead = await openRaw(base);
    halfHead.send("GET / HTTP/1.1\r\nHost: loc");
    using halfBody = await openRaw(base);
    halfBody.send("POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf");
    using pinged = await openRaw(base);
    pinged.send(get("/"));
    await pinged.receives(/RUNNING/);
    server.kill();
    expect((await server.exited()).code).toBe(0);
    expect(await silent.closed()).toBe("");
    expect(await halfHead.closed()).toMatch(/^HTTP\/1.1 408/);
    await halfBody.closed();
  });

  test("a second signal ends the drain, a third the process, with 128 + its number", async () => {
    await using server = serve({ app: "slow.js", server: { drain_time: "1 hour", stop_timeout: "1 hour" } });
    using raw = await beginSlow(server, "a");
    server.kill("SIGTERM");
    await server.log(/draining for 3600000 ms/);
    server.kill("SIGTERM");
    await server.log(/^SIGTERM: ending the drain/);
    await server.log(/^stopping/);
    expect(raw.isClosed).toBe(false);
    server.kill("SIGINT");
    expect(await server.exited()).toEqual({ code: 130, signal: null });
  });

  test("times of more than 24.8 days, the longest that Node's timers take, are as long as they say", async () => {
    const long = "60 days";
    const server = { drain_time: long, stop_timeout: long, keepalive_timeout: long };
    await using served = serve({ app: "slow.js", server: { ...server, "monitoring.blocked_hub": long } });
    using raw = await beginSlow(served, "a");
    served.kill();
    await served.log(/draining for 5184000000 ms/);
    expect((await fetch(await served.listening())).status).toBe(200);
    served.kill();
    await served.log(/^stopping/);
    expect(raw.isClosed).toBe(false);
    served.kill();
    expect(await served.exited()).toEqual({ code: 143, signal: null });
    expect(served.stderr()).toBe("");
  });

  test("an app that closes its own server ends the process, with exit code 1", async () => {
    await using server = serve({ app: "closes-itself.js" });
    const base = await server.listening();
    await fetch(`${base}/close`).catch(() => undefined);
    expect((await server.exited()).code).toBe(1);
    await server.log(/^the server ended by itself/);
  });

  test("kill -9 in the middle leaves nothing that the next start stumbles over", async () => {
    await using first = serve({ app: "slow.js" });
    const { port } = new URL(await first.listening());
    using raw = await beginSlow(first, "a");
    first.kill("SIGKILL");
    await raw.closed();
    await using second = serve({ bind: [`127.0.0.1:${port}`] });
    expect((await fetch(await second.listening())).status).toBe(200);
  });
});

describe("drain", () => {
  test("serves old and new connections as before, tells them to close, and fails readiness only", async () => {
    await using server = serve({ app: "slow.js", server: { drain_time: "1 hour" } });
    const base = await server.listening();
    using old = await openRaw(base);
    old.send(get("/"));
    await old.receives(/RUNNING/);
    server.kill();
    await server.log(/draining/);
    expect(old.isClosed).toBe(false);
    old.send(get("/"));
    expect(await old.closed()).toMatch(/connection: close\r\n[^]*\{"state":"SHUTTING_DOWN","shutting_down":true\}$/i);
    const fresh = await fetch(base);
    expect(fresh.status).toBe(200);
    expect(fresh.headers.get("connection")).toBe("close");
    const readiness = await fetch(`${base}/health`);
    expect([readiness.status, await readiness.json()]).toEqual([503, { status: "shutting_down" }]);
    expect((await fetch(`${base}/health?type=liveness`)).status).toBe(200);
    server.kill();
    expect((await server.exited()).code).toBe(0);
  });

  test("a response that began before the drain is finished, and the next one on its connection tells to close", async () => {
    await using server = serve({ app: "slow.js", server: { drain_time: "1 hour" }, config: { release_on_stop: "true" } });
    using raw = await openRaw(await server.listening());
    raw.send(get("/stream"));
    await raw.receives(/first,/);
    server.kill();
    await raw.receives(/last\r\n0\r\n\r\n$/);
    // Its head could not tell the client to go: closing would meet the client's next request.
    raw.send(get("/"));
    expect(await raw.closed()).toMatch(/connection: close\r\n/i);
    server.kill();
    expect((await server.exited()).code).toBe(0);
    expect(raw.error).toBeUndefined();
  });
});

describe("errors that nobody catches", () => {
  for (const [path, text] of [
    ["throw", "uncaught exception"],
    ["reject", "unhandled promise rejection"],
  ] as const) {
    test(`${text}: logged with its stack, a graceful stop, exit code 1`, async () => {
      await using server = serve({ app: "throws-later.js" });
      const base = await server.listening();
      await fetch(`${base}/${path}`);
      expect((await server.exited()).code).toBe(1);
      const line = server.logs().find(({ msg }) => msg === text);
      expect(line).toMatchObject({ level: "fatal" });
      expect(JSON.stringify(line)).toMatch(/nobody catches this[^]*throws-later\.js/);
      expect(messages(server).at(-1)).toBe("stopped");
    });
  }

  test("in the middle of a stop: logged, and the exit code is 1", async () => {
    await using server = serve({ app: "throws-later.js", config: { on_stop: "throw" } });
    await server.listening();
    server.kill();
    expect((await server.exited()).code).toBe(1);
    await server.log(/^uncaught exception/);
  });

  test("in the middle of the start: the start fails, exit code 3", async () => {
    await using server = serve({ app: "throws-later.js", config: { on_start: "throw" } });
    expect((await server.exited()).code).toBe(3);
    expect(server.stderr()).toContain("nobody catches this");
  });
});
