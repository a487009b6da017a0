import { once } from "node:events";
import { freePort, makeTemporaryFolder, spawnTsserve, until } from "@tsserve/testing";
import { io, type Socket } from "socket.io-client";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { hasProgram } from "./support/measured.ts";
import { startNginx } from "./support/proxies.ts";
import { filesOf, sampleOf } from "./support/samples.ts";
import { serve, type Served } from "./support/serve.ts";

const kinds = ["plain", "express", "koa", "fastify"] as const;

async function openSocket(base: string): Promise<WebSocket> {
  const socket = new WebSocket(`${base.replace("http", "ws")}/live`);
  await once(socket, "open");
  return socket;
}

async function asked(socket: WebSocket, text: string): Promise<string> {
  const answer = once(socket, "message");
  socket.send(text);
  return String(((await answer) as [Buffer])[0]);
}

/** A client of socket.io's, connected. It comes back by itself when its connection ends. */
async function connected(base: string, transports: readonly ("polling" | "websocket")[]): Promise<Socket> {
  const socket = io(base, { transports: [...transports], reconnectionDelay: 50, reconnectionDelayMax: 200, forceNew: true });
  const problems: string[] = [];
  socket.on("connect_error", (error) => problems.push(String(error)));
  await until("a client of socket.io to connect", () => socket.connected, { describe: () => problems.join("\n") });
  return socket;
}

const say = (socket: Socket, text: string): Promise<string> => socket.timeout(10_000).emitWithAck("say", text) as Promise<string>;
const upgrades = (server: Served): unknown[] => server.logs().filter(({ status, logger }) => logger === "tsserve.access" && status === 101);

describe("WebSockets by each library, on each kind of app", () => {
  for (const [app, sockets] of [...kinds.map((kind) => [kind, "ws"] as const), ["fastify", "@fastify/websocket"] as const]) {
    test(`${sockets} on ${app}: echoes, is told 1001 at a stop, has its line`, async () => {
      await using server = serve({ app: "sockets.js", config: { app, sockets } });
      const base = await server.listening();
      expect(await (await fetch(base)).text()).toBe("hello");
      const socket = await openSocket(base);
      expect(await asked(socket, "one")).toMatch(/^\d+ one$/);
      const closed = once(socket, "close");
      server.kill();
      expect((await closed)[0]).toBe(1001);
      expect(await server.exited()).toEqual({ code: 0, signal: null });
      expect(upgrades(server)).toEqual([expect.objectContaining({ path: "/live", duration_ms: expect.any(Number) })]);
    });
  }

  for (const app of kinds) {
    test(`socket.io on ${app}: polls and WebSockets end with a stop, and nothing is cut`, async () => {
      await using server = serve({ app: "sockets.js", config: { app, sockets: "socket.io" }, server: { drain_time: "100 milliseconds" } });
      const base = await server.listening();
      const clients = [
        await connected(base, ["polling"]),
        await connected(base, ["websocket"]),
        await connected(base, ["polling", "websocket"]),
      ];
      for (const client of clients) expect(await say(client, "one")).toMatch(/^\d+ one$/);
      for (const client of clients) client.io.reconnection(false);
      const ends = clients.map((client) => once(client as unknown as NodeJS.EventEmitter, "disconnect"));
      server.kill();
      for (const [reason] of (await Promise.all(ends)) as [string][]) expect(reason).toMatch(/^transport (?:close|error)$/);
      expect(await server.exited()).toEqual({ code: 0, signal: null });
    });
  }
});

test("an upgrade of two workers: each client is told 1012, comes back to the new generation, and what it says is heard", async () => {
  await using server = serve({
    app: "sockets.js",
    config: { app: "fastify", sockets: "ws" },
    args: ["--workers", "2"],
    server: { control_socket: "./ctl.sock", "websocket.close_over": "300 milliseconds" },
  });
  const base = await server.listening();
  await until("both workers", () => server.logs().filter(({ msg }) => msg.endsWith(" is up")).length === 2);
  const sockets = await Promise.all(Array.from({ length: 20 }, () => openSocket(base)));
  const before = new Set(await Promise.all(sockets.map(async (socket) => (await asked(socket, "x")).split(" ")[0])));
  const closes = sockets.map((socket) => once(socket, "close"));
  server.kill("SIGHUP");
  expect(new Set((await Promise.all(closes)).map(([code]) => code as number))).toEqual(new Set([1012]));
  const again = await Promise.all(Array.from({ length: 20 }, () => openSocket(base)));
  for (const socket of again) {
    const [pid] = (await asked(socket, "y")).split(" ");
    expect(before.has(pid)).toBe(false);
  }
  const closed = again.map((socket) => once(socket, "close"));
  server.kill();
  expect(new Set((await Promise.all(closed)).map(([code]) => code as number))).toEqual(new Set([1001]));
  expect(await server.exited(30_000)).toEqual({ code: 0, signal: null });
});

test("a thousand clients are told over the whole of the drain, each once, and each has its line", async () => {
  const clients = 1000;
  const drainMs = 5000;
  await using server = serve({
    app: "sockets.js",
    config: { app: "plain", sockets: "ws" },
    server: { drain_time: "5 seconds", max_keepalive_requests: "0" },
  });
  const base = await server.listening();
  const sockets: WebSocket[] = [];
  while (sockets.length < clients) sockets.push(...(await Promise.all(Array.from({ length: 50 }, () => openSocket(base)))));
  const begun = performance.now();
  const closes = sockets.map(async (socket) => [((await once(socket, "close")) as [number])[0], performance.now() - begun] as const);
  server.kill();
  const closed = await Promise.all(closes);
  expect(new Set(closed.map(([code]) => code))).toEqual(new Set([1001]));
  const instants = closed.map(([, ms]) => ms).sort((a, b) => a - b);
  // Not how fast, but how evenly: a machine that stands still moves them together.
  expect(instants.at(-1)).toBeGreaterThan(drainMs * 0.9);
  expect(instants[clients / 2]).toBeGreaterThan(drainMs * 0.3);
  console.log(`the most in 500 ms: ${mostWithin(instants, 500)} of ${clients}`);
  expect(await server.exited(30_000)).toEqual({ code: 0, signal: null });
  expect(upgrades(server)).toHaveLength(clients);
  expect(upgrades(server).every((line) => Number((line as { duration_ms?: unknown }).duration_ms) > 0)).toBe(true);
});

function mostWithin(instants: readonly number[], windowMs: number): number {
  return Math.max(...instants.map((begin, index) => instants.slice(index).findIndex((at) => at - begin >= windowMs)).filter((n) => n > 0));
}

test("socket.io with two workers: WebSockets alone need no stickiness, over an upgrade too", async () => {
  await using server = serve({
    app: "sockets.js",
    config: { app: "plain", sockets: "socket.io" },
    args: ["--workers", "2"],
    server: { control_socket: "./ctl.sock" },
  });
  const base = await server.listening();
  await until("both workers", () => server.logs().filter(({ msg }) => msg.endsWith(" is up")).length === 2);
  const clients = await Promise.all(Array.from({ length: 20 }, () => connected(base, ["websocket"])));
  const pidOf = async (client: Socket): Promise<string | undefined> => (await say(client, "x")).split(" ")[0];
  const before = new Set(await Promise.all(clients.map(pidOf)));
  server.kill("SIGHUP");
  await until(
    "all clients to have come back to new workers",
    async () => {
      if (!clients.every(({ connected: isConnected }) => isConnected)) return false;
      const pids = await Promise.all(clients.map((client) => pidOf(client).catch(() => undefined)));
      return pids.every((pid) => pid !== undefined && !before.has(pid));
    },
    { timeoutMs: 30_000 },
  );
  for (const client of clients) client.close();
});

test.skipIf(!hasProgram("/usr/sbin/nginx"))(
  "one image is a web server and a socket.io server behind nginx, as the page has it",
  async () => {
    const [port, web, sockets, webMetrics, socketMetrics] = await Promise.all(Array.from({ length: 5 }, freePort));
    const files = filesOf("websockets.md");
    const ini = (files["shop.ini"] ?? "")
      .replace("127.0.0.1:9090", `127.0.0.1:${web}\nmetrics.endpoint = 127.0.0.1:${webMetrics}`)
      .replace("127.0.0.1:9092", `127.0.0.1:${sockets}`)
      .replace("127.0.0.1:6062", `127.0.0.1:${socketMetrics}`)
      .replaceAll("drain_time = 5 seconds", "drain_time = 500 milliseconds");
    const scripts = {
      "web.js": files["web.js"] ?? "",
      "socketio.js": (files["socketio.js"] ?? "").replace("4000", "200").replace("500", "100"),
    };
    const folder = makeTemporaryFolder({ "package.json": '{"type":"module"}', "shop.ini": ini, ...scripts });
    const command = (env: Record<string, string>): ReturnType<typeof spawnTsserve> =>
      spawnTsserve({ args: ["shop.ini"], cwd: folder.path, env });
    await using webServer = command({ WORKER_TYPE: "web", WORKER_COUNT: "2" });
    await using socketServer = command({ WORKER_TYPE: "socketio" });
    await Promise.all([webServer.listening(), socketServer.listening()]);
    const site = sampleOf("websockets.md", "nginx")
      .replace("listen 80;", `listen 127.0.0.1:${port};`)
      .replace("127.0.0.1:9090", `127.0.0.1:${web}`)
      .replace("127.0.0.1:9092", `127.0.0.1:${sockets}`);
    await using nginx = startNginx(`${folder.path}/nginx`, site);
    const base = `http://127.0.0.1:${port}`;
    await until(
      "nginx",
      () =>
        fetch(base).then(
          ({ ok }) => ok,
          () => false,
        ),
      { describe: nginx.said },
    );
    expect(await (await fetch(base)).json()).toEqual({ from: "web" });
    const transports = [["polling"], ["websocket"], ["polling", "websocket"]] as const;
    const clients = await Promise.all(Array.from({ length: 21 }, (_, n) => connected(base, transports[n % 3] ?? ["polling"])));
    expect(await Promise.all(clients.map((client) => say(client, "hi")))).toEqual(clients.map(() => "heard hi"));
    // The master of one worker replaces it; its clients come back by themselves.
    const ends = clients.map((client) => once(client as unknown as NodeJS.EventEmitter, "disconnect"));
    socketServer.kill("SIGHUP");
    await Promise.all(ends);
    await socketServer.log(/gen=1 pid=\d+ exited/);
    // A client may take itself for connected to the old worker until its next request says otherwise: then it comes back once more.
    const again = (client: (typeof clients)[number]): Promise<unknown> =>
      until("an answer", () => say(client, "again").catch(() => undefined), { timeoutMs: 45_000 });
    expect(await Promise.all(clients.map(again))).toEqual(clients.map(() => "heard again"));
    for (const client of clients) client.close();
    webServer.kill();
    socketServer.kill();
    expect(await webServer.exited(30_000)).toEqual({ code: 0, signal: null });
    expect(await socketServer.exited(30_000)).toEqual({ code: 0, signal: null });
    folder.remove();
  },
);
