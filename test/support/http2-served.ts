import { expect } from "vitest";
import { frame, getBlock } from "./http2.ts";
import type { Scrape } from "./scrape.ts";
import { serve, type Served } from "./serve.ts";
import { tlsIni } from "./tls.ts";

/** What the fixture can be asked for over HTTP/2. */
export const kinds = ["fastify", "plain", "server", "fetch", "hono", "koa"] as const;
export const transports: readonly [string, Readonly<Record<string, string>>][] = [
  ["h2c", {}],
  ["TLS", tlsIni],
];

/** The fixture as an app of a kind, with HTTP/2. */
export function serveHttp2(kind: string, server: Readonly<Record<string, string>> = {}, args: readonly string[] = []): Served {
  return serve({ app: "http2.js", config: { kind }, server: { http2: "true", ...server }, args });
}

/** Ends a server that was asked to stop: with 0, and without a warning of Node's. Hono tells of its errors there. */
export async function endsWell(server: Served): Promise<void> {
  expect(await server.exited()).toEqual({ code: 0, signal: null });
  expect(server.stderr()).not.toMatch(/\(node:\d+\)/);
}

/** The ids of the streams that the fixture says it was run for. */
export const handledBy = (server: Served): string[] =>
  server.logs().flatMap(({ handled }) => (typeof handled === "string" ? [handled] : []));

/** How many requests were rejected, by reason. */
export const rejections = (figures: Scrape): Record<string, number> =>
  Object.fromEntries(
    ["parse", "timeout", "header", "size", "overload"].map((reason) => [
      reason,
      figures.sum("http_server_rejected_requests_total", `reason="${reason}"`),
    ]),
  );

/** A whole request, as a client that is made of bytes sends it. */
export const get = (stream: number): Buffer => frame("headers", 5, stream, getBlock);

/** As frames have numbers. */
export const uint32 = (n: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(n);
  return bytes;
};
