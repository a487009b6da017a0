// A node:cluster app as its documentation suggests: at SIGHUP each worker is replaced by a new one, which listens before
// the old one is disconnected.
import cluster from "node:cluster";
import { once } from "node:events";
import { createServer } from "node:http";

const [port, count] = process.argv.slice(2).map(Number);

if (cluster.isPrimary) {
  for (let index = 0; index < count; index++) cluster.fork();
  const upgrade = async () => {
    for (const old of Object.values(cluster.workers ?? {})) {
      const fresh = cluster.fork();
      await once(fresh, "listening");
      old?.disconnect();
      if (old !== undefined) await once(old, "exit");
    }
    console.log("upgraded");
  };
  process.on("SIGHUP", () => void upgrade());
} else {
  createServer((request, response) => response.end('{"hello":"world"}')).listen(port, "127.0.0.1");
}
