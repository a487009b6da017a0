import { openRaw } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { serve } from "./support/serve.ts";
import { handshake, tlsIni } from "./support/tls.ts";

const kinds = ["plain", "express", "koa", "fastify", "fetch"] as const;
/** The web standard has neither early hints nor trailers. */
const nodeKinds = ["plain", "express", "koa", "fastify"] as const;

describe("what is passed on as it comes", () => {
  for (const kind of kinds) {
    test(`${kind}: an answer's parts, a body's parts, interim answers, trailers`, async () => {
      await using server = serve({ app: "streams.js", config: { kind }, server: { server_header: "us", content_type: "text/x" } });
      const base = await server.listening();

      // The second part of the answer is sent only when the first has arrived.
      using events = await openRaw(base);
      events.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
      await events.receives(/data: first/);
      await fetch(`${base}/received`);
      await events.receives(/data: second[^]*\r\n0\r\n\r\n$/);

      // The answer to the first part of the body comes before the second part is sent.
      using body = await openRaw(base);
      body.send("POST /first-bytes HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
      await body.receives(/had one/);
      body.send("3\r\ntwo\r\n0\r\n\r\n");
      await body.receives(/then two/);

      if (!nodeKinds.some((each) => each === kind)) return;
      using hints = await openRaw(base);
      hints.send("GET /hints HTTP/1.1\r\nHost: a\r\n\r\n");
      const hinted = await hints.receives(/^[^]*hinted$/);
      expect(hinted).toMatch(/^HTTP\/1\.1 103 Early Hints\r\nLink: <\/style\.css>; rel=preload; as=style\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
      expect(hinted.match(/^x-request-id: /gim)).toHaveLength(1);

      using trailers = await openRaw(base);
      trailers.send("POST /trailers HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n");
      trailers.send("4\r\nbody\r\n0\r\nX-Sum: 841a\r\n\r\n");
      await trailers.receives(/4\r\nbody\r\n0\r\nX-Sum: 841a\r\n\r\n$/);
    });
  }

  test("over TLS, too", async () => {
    await using server = serve({ app: "streams.js", server: tlsIni });
    const port = Number(new URL(await server.listening()).port);
    const socket = await handshake(port);
    let received = "";
    const arrived = new Promise<void>((resolve) => {
      socket.on("data", (part) => {
        received += String(part);
        if (received.includes("hinted")) resolve();
      });
    });
    socket.write("GET /hints HTTP/1.1\r\nHost: a\r\n\r\n");
    await arrived;
    expect(received).toMatch(/^HTTP\/1\.1 103 Early Hints/);
    socket.destroy();
  });
});
