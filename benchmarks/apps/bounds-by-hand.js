// What a setting of production costs at the least: the same by hand, and nothing beside it.
//     node bounds-by-hand.js PORT                          a bare server of Node's
//     node bounds-by-hand.js PORT --close-each 1000        … that ends a connection with the answer of this number
//     node bounds-by-hand.js PORT --fastify                Fastify without a logger
//     node bounds-by-hand.js PORT --fastify --close-each 1000    … that does so, too
//     node bounds-by-hand.js PORT --fastify --line FILE    … that appends a line of 300 bytes for each request to a file
//     node bounds-by-hand.js PORT --fastify --trust        … that believes proxies on this machine, and asks for the client's address
import { openSync, writeSync } from "node:fs";
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import Fastify from "fastify";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { "close-each": { type: "string" }, fastify: { type: "boolean" }, trust: { type: "boolean" }, line: { type: "string" } },
});
const where = { host: "127.0.0.1", port: Number(positionals[0]) };
const body = JSON.stringify({ hello: "world" });
const head = { "content-type": "application/json; charset=utf-8", "content-length": String(body.length) };
const closeEach = Number(values["close-each"] ?? Infinity);

if (values.fastify) {
  const app = Fastify(values.trust ? { logger: false, trustProxy: "loopback" } : { logger: false });
  app.get("/", values.trust ? async (request) => ({ hello: request.ip === "" ? "nobody" : "world" }) : async () => ({ hello: "world" }));
  if (closeEach !== Infinity) {
    app.addHook("onRequest", (request, reply, done) => {
      const { socket } = request.raw;
      socket.answers = (socket.answers ?? 0) + 1;
      if (socket.answers >= closeEach) reply.header("connection", "close");
      done();
    });
  }
  if (values.line !== undefined) writeLines(app.server, values.line);
  await app.listen(where);
} else {
  createServer((request, response) => {
    const { socket } = request;
    socket.answers = (socket.answers ?? 0) + 1;
    response.writeHead(200, socket.answers >= closeEach ? { ...head, connection: "close" } : head);
    response.end(body);
  }).listen(where.port, where.host);
}

/** The same line each time, sixteen kilobytes at once: no line is composed, and no text made bytes. */
function writeLines(server, path) {
  const fd = openSync(path, "a");
  const line = Buffer.from(`${"x".repeat(299)}\n`);
  const lines = Buffer.alloc(16_384);
  let used = 0;
  server.on("request", () => {
    if (used + line.length > lines.length) {
      writeSync(fd, lines, 0, used);
      used = 0;
    }
    used += line.copy(lines, used);
  });
}
