// The hello world app under node:cluster, as many workers as are asked for.
import cluster from "node:cluster";
import { start } from "./hello.js";

const [port, count] = process.argv.slice(2).map(Number);

if (cluster.isPrimary) {
  for (let index = 0; index < count; index++) cluster.fork();
  process.on("SIGTERM", () => {
    for (const worker of Object.values(cluster.workers ?? {})) worker?.kill("SIGKILL");
    process.exit(0);
  });
} else await start(port, true);
