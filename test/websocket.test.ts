import { once } from "node:events";
import { openRaw } from "@tsserve/testing";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { serve } from "./support/serve.ts";

async function connect(base: string): Promise<WebSocket> {
  const socket = new WebSocket(base.replace("http", "ws"));
  await once(socket, "open");
  return socket;
}

test("a WebSocket lives through the drain, is told 1001 at the stop, and holds the exit no longer than it likes", async () => {
  await using server = serve({ app: "websocket.js", server: { drain_time: "1 hour" } });
  const socket = await connect(await server.listening());
  server.kill();
  await server.log(/draining/);
  socket.send("still here?");
  const [message] = (await once(socket, "message")) as [Buffer];
  expect(String(message)).toBe("echo still here?");
  server.kill();
  const [code] = (await once(socket, "close")) as [number];
  expect(code).toBe(1001);
  expect((await server.exited()).code).toBe(0);
});

test("a client that does not answer is cut at the deadline, counted and logged", async () => {
  await using server = serve({ app: "websocket.js", server: { stop_timeout: "300 milliseconds" } });
  using raw = await openRaw(await server.listening());
  raw.send(
    "GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  await raw.receives(/101 Switching Protocols/);
  server.kill();
  expect((await server.exited()).code).toBe(1);
  expect(await raw.closed()).toMatch(/\x88\x02\x03\xe9/);
  await server.log(/^cut at the stop deadline: GET \/live/);
});

test("an upgrade that nobody takes is answered as a plain request", async () => {
  await using server = serve();
  using raw = await openRaw(await server.listening());
  raw.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
  await raw.receives(/^HTTP\/1\.1 200/);
});
