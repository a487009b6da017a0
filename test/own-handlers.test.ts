import { openRaw, until, type RawConnection } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { serve, type Served } from "./support/serve.ts";

const app = "own-handlers.js";

function own(what: string): Served {
  return serve({ app, env: { OWN: what }, server: { stop_timeout: "1 hour" } });
}

async function beginSlow(server: Served): Promise<RawConnection> {
  const raw = await openRaw(await server.listening());
  raw.send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await server.log(/^slow has begun/);
  return raw;
}

function warnings(server: Served): string[] {
  return server.logs().flatMap(({ level, msg }) => (level === "warn" || level === "error" ? [msg] : []));
}

describe("an app's own handler of a signal", () => {
  test("is named in one line at the start, and requests that its exit loses are told: exit code 1", async () => {
    await using server = own("listens to SIGTERM");
    using slow = await beginSlow(server);
    expect(warnings(server)).toEqual([
      expect.stringMatching(/^the app has process handlers of its own: SIGTERM \(.*own-handlers\.js:5\);/),
    ]);
    server.kill();
    expect(await server.exited()).toEqual({ code: 1, signal: null });
    expect(warnings(server).slice(1)).toEqual([
      expect.stringMatching(/^lost, because the app ended the process: GET .* after \d+ ms$/),
      expect.stringMatching(/^the app ended the process itself, with process\.exit\(0\) \(.*own-handlers\.js:5\); 1 requests in progress$/),
    ]);
    await slow.closed();
  });

  test("that exits when nothing is in progress loses nothing: exit code 0", async () => {
    await using server = own("exits at SIGTERM");
    await server.listening();
    server.kill();
    expect(await server.exited()).toEqual({ code: 0, signal: null });
    expect(warnings(server).at(-1)).toMatch(/^the app ended the process itself, with process\.exit\(0\)/);
  });
});

describe("an app that ends the process itself", () => {
  for (const [how, exit] of [
    ["exit", { code: 1, signal: null }],
    ["exit 7", { code: 1, signal: null }],
    ["reallyExit", { code: 1, signal: null }],
    ["abort", { code: null, signal: "SIGABRT" }],
    ["kill", { code: null, signal: "SIGKILL" }],
  ] as const) {
    test(`by ${how}, with a request in progress: it is told, and never exit code 0`, async () => {
      await using server = own("");
      using slow = await beginSlow(server);
      await fetch(`${await server.listening()}/end/${how}`).catch(() => undefined);
      expect(await server.exited()).toEqual(exit);
      expect(warnings(server).some((msg) => msg.startsWith("lost, because the app ended the process: GET"))).toBe(true);
      expect(warnings(server).at(-1)).toMatch(/^the app ended the process itself, with process\.\w+\(.*; \d requests in progress$/);
      await slow.closed();
    });
  }

  test("with a code of its own, and nothing in progress: that code", async () => {
    await using server = own("");
    const base = await server.listening();
    await fetch(`${base}/end/exit 7`);
    expect(await server.exited()).toEqual({ code: 7, signal: null });
  });

  test("in its module: exit code 3, and stderr says where", async () => {
    await using server = own("exits in its module");
    expect(await server.exited()).toEqual({ code: 3, signal: null });
    expect(server.stderr()).toMatch(/the app ended the process while it started, with process\.exit\(0\) \(.*own-handlers\.js:4\)/);
  });
});

describe("an app that removes the listeners of signals", () => {
  for (const what of ["removes one's", "removes all", "removes each"]) {
    test(`${what}: SIGTERM is a graceful stop all the same`, async () => {
      await using server = own(what);
      await server.listening();
      server.kill();
      expect(await server.exited()).toEqual({ code: 0, signal: null });
      expect(server.logs().at(-1)?.msg).toBe("stopped");
    });
  }
});

test("what the app's own handlers of errors catch is not uncaught", async () => {
  await using server = own("catches");
  const base = await server.listening();
  await fetch(`${base}/throw`);
  await fetch(`${base}/reject`);
  await until("both", () => server.stderr().includes("caught thrown") && server.stderr().includes("rejected rejection"));
  expect((await fetch(base)).status).toBe(200);
  server.kill();
  expect(await server.exited()).toEqual({ code: 0, signal: null });
  expect(server.logs().filter(({ level }) => level === "fatal")).toEqual([]);
});

describe("a listener of the process's exit that throws", () => {
  for (const [what, path, code] of [
    ["throws at the exit", undefined, 1],
    ["throws at the exit, and catches", undefined, 1],
    ["throws at the exit, and exits", "/end/exit", 1],
    ["throws at the exit and at the start", undefined, 3],
  ] as const) {
    test(`is told of once, with its stack, where it ${what}: exit code ${code}`, async () => {
      await using server = own(what);
      if (code !== 3) {
        const base = await server.listening();
        if (path === undefined) server.kill();
        else await fetch(`${base}${path}`).catch(() => undefined);
      }
      expect(await server.exited()).toEqual({ code, signal: null });
      expect(server.stderr().match(/^a listener of the process's "exit" threw:\nError: thrown\n\s+at .*own-handlers\.js/gm)).toHaveLength(
        1,
      );
      expect(server.logs().filter(({ level }) => level === "fatal")).toEqual([]);
    });
  }
});
