import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, load, lost, makeTemporaryFolder, openRaw, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { postWithGaps } from "./support/idle-gaps.ts";
import { hasProgram } from "./support/measured.ts";
import { startHaproxy, startNginx } from "./support/proxies.ts";
import { run } from "./support/run.ts";
import { sampleOf } from "./support/samples.ts";
import { fixture, serve, type Served } from "./support/serve.ts";

// For how long posts with pauses are sent; ten minutes are counted by hand.
const pausesSeconds = Number(process.env["TSSERVE_PROXY_SECONDS"] ?? 7);

const haproxySample = sampleOf("proxies.md", "haproxy");
const address = async (server: Served): Promise<string> => new URL(await server.listening()).host;

/** The page's configuration, with the test's ports, and other times where they are given. */
function haproxy(port: number, servers: readonly string[], times: Readonly<Record<string, string>> = {}): string {
  let text = haproxySample.replace("bind :80", `bind 127.0.0.1:${port}`);
  text = text.replace(/^ +server two .*\n/m, servers[1] === undefined ? "" : `    server two ${servers[1]}\n`);
  text = text.replace(/^( +server one) .*$/m, `$1 ${servers[0]}`);
  for (const [from, to] of Object.entries(times)) {
    if (!text.includes(from)) throw new Error(`the page's configuration of haproxy has no "${from}"`);
    text = text.replaceAll(from, to);
  }
  return text;
}

/** What `tsserve kit nginx` writes for a file, with the test's ports. */
async function nginx(port: number, upstream: string, folder: string): Promise<string> {
  const ini = `[server:main]\nfactory = tsserve/http\nreal_ip_from = loopback\n[app:main]\nfactory = ${fixture("mirror.js")}\n`;
  const { stdout, stderr } = await run({ "app.ini": ini }, ["kit", "nginx", "app.ini"]);
  if (stderr !== "") throw new Error(stderr);
  return stdout
    .replace(/server 127\.0\.0\.1:9090;/, `server ${upstream};`)
    .replace("listen 80;", `listen 127.0.0.1:${port};`)
    .replace(/alias .*\/static\/;/, `alias ${folder}/static/;`);
}

const proxies = [
  ["nginx", "/usr/sbin/nginx"],
  ["haproxy", "/usr/sbin/haproxy"],
] as const;

for (const [name, program] of proxies) {
  describe.skipIf(!hasProgram(program))(`behind ${name}, by the page's configuration`, () => {
    test("the app sees the client, WebSockets and streams pass, checks are no news", async () => {
      const folder = makeTemporaryFolder();
      await using server = serve({ app: "streams.js", server: { real_ip_from: "loopback", drain_time: "100 milliseconds" } });
      const upstream = await address(server);
      const port = await freePort();
      mkdirSync(join(folder.path, "static"));
      writeFileSync(join(folder.path, "static", "a.txt"), "a file\n");
      await using proxy =
        name === "nginx"
          ? startNginx(folder.path, await nginx(port, upstream, folder.path))
          : startHaproxy(folder.path, haproxy(port, [upstream]));
      const base = `http://127.0.0.1:${port}`;
      const answer = await until(
        "an answer through the proxy",
        () =>
          fetch(base).then(
            (each) => (each.ok ? each : undefined),
            () => undefined,
          ),
        {
          describe: proxy.said,
        },
      );
      const id = answer.headers.get("x-request-id");
      const forged = await fetch(base, { headers: { "x-forwarded-for": "6.6.6.6", "x-request-id": "mine", "x-forwarded-proto": "https" } });
      expect(await forged.json()).toMatchObject({ forwarded: "127.0.0.1", proto: "http" });
      expect(forged.headers.get("x-request-id")).toMatch(/^[\w-]{32,36}$/);
      expect(forged.headers.get("x-request-id")).not.toBe(id);
      expect(await (await fetch(`${base}/echo`, { method: "POST", body: "x".repeat(200_000) })).text()).toHaveLength(200_000);
      if (name === "nginx") expect(await (await fetch(`${base}/static/a.txt`)).text()).toBe("a file\n");

      // A stream is passed on as it comes: the second part is sent when the first has arrived.
      using raw = await openRaw(base);
      raw.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
      await raw.receives(/data: first/);
      await fetch(`${base}/received`);
      await raw.receives(/data: second/);

      const socket = new WebSocket(`${base.replace("http", "ws")}/live`);
      await once(socket, "open");
      socket.send("hello");
      const [said] = (await once(socket, "message")) as [Buffer];
      expect(String(said)).toBe("echo hello");
      const closed = once(socket, "close");
      server.kill();
      expect((await closed)[0]).toBe(1001);
      expect((await server.exited()).code).toBe(0);
      const logged = server.logs().filter(({ logger }) => logger === "tsserve.access");
      expect(logged.filter(({ path }) => path === "/health")).toEqual([]);
      expect(new Set(logged.map(({ client }) => client))).toEqual(new Set(["127.0.0.1"]));
      expect(logged.every(({ req_id: ours, upstream_id: theirs }) => ours === theirs)).toBe(true);
      folder.remove();
    });

    test(
      "posts with pauses around the timeouts meet no connection that is being closed",
      async () => {
        const folder = makeTemporaryFolder();
        // The pair of the page, shorter: the server gives up later than the proxy.
        await using server = serve({ app: "mirror.js", server: { keepalive_timeout: "2 seconds", access_log: "false" } });
        const upstream = await address(server);
        const port = await freePort();
        const site = await nginx(port, upstream, folder.path);
        expect(site).toMatch(/keepalive_timeout 70s;/);
        await using proxy =
          name === "nginx"
            ? startNginx(folder.path, site.replace("keepalive_timeout 70s;", "keepalive_timeout 1s;"))
            : startHaproxy(folder.path, haproxy(port, [upstream], { "pool-purge-delay 5s": "pool-purge-delay 300ms" }));
        await until(
          "the proxy",
          () =>
            fetch(`http://127.0.0.1:${port}/`).then(
              ({ ok }) => ok,
              () => false,
            ),
          { describe: proxy.said },
        );
        const { answered, failures } = await postWithGaps(port, 40, () => 700 + Math.random() * 2800, pausesSeconds * 1000);
        if (pausesSeconds > 60) console.log(`${answered} posts behind ${name} in ${pausesSeconds} s, ${failures.size} kinds of failures`);
        expect([...failures]).toEqual([]);
        expect(answered).toBeGreaterThan(40);
        folder.remove();
      },
      600_000 + pausesSeconds * 1000,
    );
  });
}

test.skipIf(!hasProgram("/usr/sbin/haproxy"))("haproxy moves clients away from an instance that stops: no request is lost", async () => {
  const folder = makeTemporaryFolder();
  const settings = { real_ip_from: "loopback", drain_time: "2 seconds", access_log: "false" };
  await using one = serve({ app: "plain.js", server: settings });
  await using two = serve({ app: "plain.js", server: settings });
  const port = await freePort();
  const faster = { "inter 1s": "inter 200ms" };
  await using proxy = startHaproxy(folder.path, haproxy(port, [await address(one), await address(two)], faster));
  const base = `http://127.0.0.1:${port}`;
  const hello = await until(
    "an answer",
    () =>
      fetch(base).then(
        (each) => (each.ok ? each.text() : undefined),
        () => undefined,
      ),
    {
      describe: proxy.said,
    },
  );
  const stop = new AbortController();
  const loads = [true, false].map((keepAlive) => load({ port, clients: 4, keepAlive, expect: hello, signal: stop.signal }));
  await fetch(base);
  one.kill();
  expect(await one.exited()).toEqual({ code: 0, signal: null });
  await fetch(base);
  stop.abort();
  for (const result of await Promise.all(loads)) expect([lost(result), result.failures]).toEqual([0, []]);
  folder.remove();
});

test.skipIf(!hasProgram("/usr/sbin/haproxy"))("haproxy takes the page's configuration without a warning", () => {
  const folder = makeTemporaryFolder({ "haproxy.cfg": haproxySample });
  const { status, stderr, stdout } = spawnSync("/usr/sbin/haproxy", ["-c", "-f", join(folder.path, "haproxy.cfg")], { encoding: "utf8" });
  expect([status, `${stdout}${stderr}`]).toEqual([0, expect.not.stringMatching(/WARNING|ALERT/)]);
  folder.remove();
});
