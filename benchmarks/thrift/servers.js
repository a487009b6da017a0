// The servers that are compared: node servers.js NAME PORT
import { createRequire } from "node:module";
import { createServer } from "node:net";

const require = createRequire(import.meta.url);
const [name, port] = process.argv.slice(2);

const servers = {
  "raw echo": () => createServer({ noDelay: true }, (socket) => socket.on("data", (chunk) => socket.write(chunk)).on("error", () => {})),
  "apache framed binary": () => apache("TBinaryProtocol"),
  "apache framed compact": () => apache("TCompactProtocol"),
};

function apache(protocol) {
  const thrift = require("thrift");
  const Bench = require("../../test/fixtures/thrift/gen-nodejs/Bench.js");
  const handler = { ping: (done) => done(null), echo: (payload, done) => done(null, payload) };
  return thrift.createServer(Bench, handler, { transport: thrift.TFramedTransport, protocol: thrift[protocol] });
}

// Apache's ends the process when a client resets its connection, unless somebody listens for it.
servers[name]()
  .on("error", () => {})
  .listen(Number(port), "127.0.0.1");
