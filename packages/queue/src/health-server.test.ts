import { once } from "node:events";
import { connect } from "node:net";
import type { Listener } from "@tsserve/listener";
import type { Health } from "@tsserve/server";
import { expect, test } from "vitest";
import { HealthServer } from "./health-server.ts";

/** A server on a port of its own, whose health is what `probes` say; the probes that it was asked for. */
async function started(probes: Readonly<Record<string, string>> = {}): Promise<{ port: number; asked: string[]; server: HealthServer }> {
  const asked: string[] = [];
  const listener = {
    listen: async (http: import("node:http").Server) => {
      http.listen(0, "127.0.0.1");
      await once(http, "listening");
    },
  };
  const answer = (probe: string): Promise<string> => (asked.push(probe), Promise.resolve(probes[probe] ?? "ok"));
  const server = new HealthServer([listener as unknown as Listener], { answer } as unknown as Health);
  await server.start();
  return { server, asked, port: Number(new URL(server.addresses()[0] ?? "").port) };
}

/** The status of the answer to a target, as it is. */
async function statusOf(port: number, target: string): Promise<number> {
  const socket = connect(port, "127.0.0.1");
  socket.end(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  return Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]);
}

test.each([
  ["/health", 200, "readiness"],
  ["/health?type=liveness", 200, "liveness"],
  ["/health?type=startup", 200, "startup"],
  ["/health?type=nonsense", 200, "readiness"],
  ["/health?", 200, "readiness"],
  ["/", 404, undefined],
  ["/healthy", 404, undefined],
  ["//", 404, undefined],
  ["//health", 404, undefined],
  ["http://[", 404, undefined],
  ["/%", 404, undefined],
  ["*", 404, undefined],
])("%s is answered with %i", async (target, status, probe) => {
  const { server, port, asked } = await started();
  expect([await statusOf(port, target), asked]).toEqual([status, probe === undefined ? [] : [probe]]);
  server.stop();
});

test("one that is not well is 503, and a stopped one answers nobody", async () => {
  const { server, port } = await started({ readiness: "unavailable" });
  expect([await statusOf(port, "/health"), await statusOf(port, "/health?type=liveness")]).toEqual([503, 200]);
  server.stop();
  await expect(statusOf(port, "/health")).rejects.toThrow(/ECONNREFUSED|ECONNRESET/);
});
