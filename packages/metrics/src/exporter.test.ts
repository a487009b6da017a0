import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { createServer as createTcpServer, type AddressInfo, type Server } from "node:net";
import { gunzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { Exporter, plain, shared, type Page, type Place } from "./exporter.ts";

const exporters: Exporter[] = [];
afterEach(() => Promise.all(exporters.splice(0).map((exporter) => exporter.close())));

interface Listening {
  readonly port: number;
  readonly errors: unknown[];
}

async function listen(pages: Readonly<Record<string, Page>>): Promise<Listening> {
  const errors: unknown[] = [];
  const exporter = new Exporter({ pages: new Map(Object.entries(pages)), onError: (error) => errors.push(error) });
  exporters.push(exporter);
  const port = await new Promise<number>((resolve) => {
    let found: Server;
    exporter.listenAt({
      listen: (server) => (found = server).listen(0, "127.0.0.1"),
      onBusy: () => undefined,
      onListening: () => resolve((found.address() as AddressInfo).port),
    });
  });
  return { port, errors };
}

interface Got {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

async function ask(port: number, path: string, { method = "GET", ...headers }: Record<string, string> = {}): Promise<Got> {
  const sent = request({ host: "127.0.0.1", port, path, method, headers, agent: false }).end();
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) };
}

const long = "x".repeat(5000);

describe("the exporter", () => {
  test("answers what there is, whole, and closes", async () => {
    const { port } = await listen({
      "/a": () => plain(200, "a\n"),
      "/long": () => shared({ status: 200, contentType: "text/plain", body: long }),
    });
    const { status, headers, body } = await ask(port, "/a?b=c");
    expect([status, body.toString(), headers.connection, headers["x-content-type-options"]]).toEqual([200, "a\n", "close", "nosniff"]);
    expect((await ask(port, "/b")).status).toBe(404);
    expect((await ask(port, "/a", { method: "HEAD" })).headers["content-length"]).toBe("2");
    const refused = await ask(port, "/a", { method: "POST" });
    expect([refused.status, refused.headers.allow]).toEqual([405, "GET, HEAD"]);
    const packed = await ask(port, "/long", { "Accept-Encoding": "gzip" });
    expect([packed.headers["content-encoding"], gunzipSync(packed.body).toString()]).toEqual(["gzip", long]);
    expect((await ask(port, "/a", { "Accept-Encoding": "gzip" })).headers["content-encoding"]).toBe(undefined);
  });

  test("a page that fails is told, and is a 500", async () => {
    const { port, errors } = await listen({ "/a": () => Promise.reject(new Error("no")) });
    expect((await ask(port, "/a")).status).toBe(500);
    expect(errors).toEqual([new Error("no")]);
  });

  test("what is shared is packed once", async () => {
    const answer = shared({ status: 200, contentType: "text/plain", body: long });
    expect(await answer.packed?.()).toBe(await answer.packed?.());
  });

  test("a port that is taken is told once, and tried until it is free", async () => {
    const holder = createTcpServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const { port } = holder.address() as AddressInfo;
    const exporter = new Exporter({ pages: new Map(), onError: () => undefined });
    exporters.push(exporter);
    const told: string[] = [];
    let tries = 0;
    const listening = new Promise<void>((resolve) => {
      const place: Place = {
        listen: (server) => {
          tries += 1;
          if (tries === 3) holder.close(() => server.listen(port, "127.0.0.1"));
          else server.listen(port, "127.0.0.1");
        },
        onBusy: ({ code }) => void told.push(code ?? ""),
        onListening: resolve,
      };
      exporter.listenAt(place);
    });
    await listening;
    expect(told).toEqual(["EADDRINUSE"]);
    expect((await ask(port, "/")).status).toBe(404);
  });
});
