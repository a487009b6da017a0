import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { freePort, makeTemporaryFolder, openRaw, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { scrape } from "./support/scrape.ts";
import { serve } from "./support/serve.ts";

const isRoot = process.getuid?.() === 0;
const changes = [
  "timers that never come",
  "ticks that never come",
  "promises without a race",
  "no classes of the platform",
  "a property and a method of every object",
  // Who may not look into the folder of compiled code any more is told so when it is saved, once the app serves.
  ...(isRoot ? ["no rights of root"] : []),
];
const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.7\r\nConnection: close\r\n\r\n`;

describe("an app that changes the whole process is served, drained and stopped as any other:", () => {
  const cases = changes.map((change) => [change, "in its factory"] as const);
  test.concurrent.each([...cases, ["ticks that never come", "in its module"] as const])("%s, %s", async (change, where) => {
    using home = makeHome();
    const metrics = await freePort();
    await using server = serve({
      app: "changed-world.js",
      config: { change },
      server: { "metrics.endpoint": `127.0.0.1:${metrics}`, real_ip_from: "loopback" },
      env: { HOME: home.path, XDG_CACHE_HOME: undefined, CHANGE: where === "in its module" ? change : undefined },
    });
    const url = await server.listening();
    using headers = await openRaw(url);
    headers.send(get("/headers"));
    const text = await headers.closed();
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(text).not.toContain("extra");
    await until("metrics", async () => (await scrape(metrics).catch(() => undefined))?.sum("http_server_requests_total", "") === 1);
    if (change === "no rights of root") await server.log(/^a while later/);
    using slow = await openRaw(url);
    slow.send(get("/slow"));
    await until("both to be asked", () => server.logs().filter(({ msg }) => msg === "asked").length === 2);
    server.kill();
    expect(await slow.closed()).toMatch(/^HTTP\/1\.1 200 [^]*served$/);
    expect([await server.exited(), server.stderr()]).toEqual([{ code: 0, signal: null }, ""]);
    const trouble = server.logs().flatMap(({ level, msg }) => (level === "info" ? [] : [msg]));
    expect(trouble).toEqual(change === "ticks that never come" ? [expect.stringMatching(/^process\.nextTick was replaced by one/)] : []);
  });
});

function makeHome(): { readonly path: string; [Symbol.dispose](): void } {
  const { path, remove } = makeTemporaryFolder();
  mkdirSync(join(path, ".cache"), { mode: 0o700 });
  return { path, [Symbol.dispose]: remove };
}
