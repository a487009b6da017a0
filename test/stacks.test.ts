import { setTimeout } from "node:timers/promises";
import { openRaw, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { serve, type Served } from "./support/serve.ts";

/** The watchdog thread is on its way from the first moment on, but may listen a little later than the server. */
async function ready(server: Served): Promise<string> {
  await server.log(/^the watchdog thread listens/);
  return server.listening();
}

describe("SIGUSR1", () => {
  test("idle: tells what it waits for, and goes on", async () => {
    await using server = serve({ app: "slow.js", args: ["--debug"] });
    const base = await ready(server);
    using raw = await openRaw(base);
    raw.send("GET /slow/a HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await server.log(/^slow a has begun/);
    server.kill("SIGUSR1");
    const line = await server.log(/^SIGUSR1/);
    expect(line).toMatchObject({ level: "warn", requests: [{ method: "GET", route: "/slow/:name" }] });
    expect(line["stack"]).toMatch(/request in progress: GET \/slow\/:name for \d+ ms/);
    expect((await fetch(base)).status).toBe(200);
  });

  test("stuck in a loop: the stack of the loop and the request that began it, and it goes on", async () => {
    await using server = serve({ app: "stuck.js", args: ["--debug"] });
    const base = await ready(server);
    const answer = fetch(`${base}/spin/5000`);
    await server.log(/^spinning/);
    server.kill("SIGUSR1");
    // On a busy machine another line may come first: that the stack is on its way.
    const line = await server.log(/^SIGUSR1: the event loop is stuck; this is where/);
    expect(line["level"]).toBe("warn");
    expect(line["stack"]).toMatch(/spinForever[^]*stuck\.js:\d+/);
    expect(JSON.stringify(line["requests"])).toContain("/spin/:ms");
    expect((await answer).status).toBe(200);
    expect(server.logs().filter(({ msg }) => /^SIGUSR1: the event loop (?:turns|is stuck; this)/.test(msg))).toHaveLength(1);
    server.kill();
    expect((await server.exited()).code).toBe(0);
  });

  test("stuck in a loop: the third signal that asks to stop ends the process at once, with its number", async () => {
    await using server = serve({ app: "stuck.js", args: ["--debug"], server: { drain_time: "1 hour" } });
    const base = await ready(server);
    const answer = fetch(`${base}/spin/3600000`).catch((error: unknown) => error);
    await server.log(/^spinning/);
    // Signals of one number that come together are one: whoever wants to be heard repeats it.
    const exit = await until("the end", async () => {
      server.kill("SIGTERM");
      return (await Promise.race([server.exited(), setTimeout(50)])) ?? undefined;
    });
    expect(exit).toEqual({ code: 143, signal: null });
    expect(await answer).toBeInstanceOf(Error);
    const last = server.logs().at(-1);
    expect([last?.msg, last?.["stack"]]).toEqual([
      expect.stringMatching(/^SIGTERM: the event loop is stuck/),
      expect.stringMatching(/spinForever/),
    ]);
  });

  test("opens no port, and asks for it as often as one likes", async () => {
    await using server = serve({ app: "stuck.js", args: ["--debug"] });
    const base = await ready(server);
    for (let round = 1; round <= 3; round++) {
      server.kill("SIGUSR1");
      await until(`dump ${round}`, () => server.logs().filter(({ msg }) => msg.startsWith("SIGUSR1")).length === round);
    }
    expect(server.stderr()).not.toMatch(/Debugger|inspector/i);
    await expect(openRaw("http://127.0.0.1:9229").then(({ error }) => error)).resolves.toBe("ECONNREFUSED");
    expect((await fetch(base)).status).toBe(200);
  });

  test("during the start it ends nothing", async () => {
    await using server = serve({ app: "never-built.js" });
    await server.log(/^the factory has begun/);
    server.kill("SIGUSR1");
    await server.log(/^SIGUSR1/);
    server.kill();
    expect((await server.exited()).code).toBe(0);
  });
});
