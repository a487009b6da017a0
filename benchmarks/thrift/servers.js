// The servers that are compared: node servers.js NAME PORT
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { loadService } from "tsserve/thrift";
import { BinaryReader } from "../../packages/thrift/dist/protocol/binary-reader.js";
import { BinaryWriter } from "../../packages/thrift/dist/protocol/binary-writer.js";
import { SharedReads } from "../../packages/thrift/dist/server/shared-reads.js";

const require = createRequire(import.meta.url);
const [name, port] = process.argv.slice(2);

const servers = {
  "raw echo": () => createServer({ noDelay: true }, (socket) => socket.on("data", (chunk) => socket.write(chunk)).on("error", () => {})),
  "socket and codec": () => socketAndCodec(),
  "apache framed binary": () => apache("TBinaryProtocol"),
  "apache framed compact": () => apache("TCompactProtocol"),
};

/**
 * The least that any server must do that gives a handler objects and sends back objects: reads frames that are whole, without
 * limits, order, context, deadlines or metrics, has our codec decode and encode them, and writes.
 */
function socketAndCodec() {
  const bench = fileURLToPath(new URL("../../test/fixtures/thrift/bench.thrift", import.meta.url));
  const codec = loadService(bench, "Bench").codecs.binary.get("echo");
  const [reader, writer, reads, answer] = [new BinaryReader(), new BinaryWriter(), new SharedReads(), Buffer.alloc(256 * 1024)];
  const given = (payload) => payload;
  return createServer({ noDelay: true }, (accepted) => {
    const { socket } = reads.takeOver(accepted, (bytes, count) => {
      let end = 0;
      for (let start = 0; start < count;) {
        const length = bytes.readUInt32BE(start);
        reader.reset(bytes, start + 4, start + 4 + length);
        const head = reader.readHead();
        const value = codec.call(reader, given, undefined, undefined);
        writer.reset(answer, end + 4);
        writer.writeMessageBegin(head.name, 2, head.sequenceId);
        codec.writeResult(writer, value);
        answer.writeUInt32BE(writer.position - end - 4, end);
        end = writer.position;
        start += 4 + length;
      }
      socket.write(answer.subarray(0, end));
    });
    socket.on("error", () => {});
  });
}

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
