// What do 10,000 idle Thrift connections cost, that have each had an answer? And does the server grow over many
// requests? node --import tsx benchmarks/thrift-connections.ts [CONNECTIONS] [MILLION REQUESTS]
import { fork } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { freePort } from "@tsserve/testing";
import { bin, path, residentMb, startPinned, stop } from "./servers.ts";
import { accepts } from "./thrift/accepts.ts";
import { echoRequest } from "./thrift/echo-request.ts";

const count = Number(process.argv[2] ?? 10_000);
const millions = Number(process.argv[3] ?? 10);
const port = await freePort();
const server = startPinned(0, [bin, path("thrift/loaded.ini"), "--bind", `127.0.0.1:${port}`]);
const memory = (): number => residentMb(server.pid as number);
await accepts(port);
await load(1);
const before = memory();

const ping = Buffer.from("0000001180010001000000047069 6e670000000100".replaceAll(" ", ""), "hex");
const sockets: Socket[] = [];
while (sockets.length < count) {
  await Promise.all(
    Array.from({ length: Math.min(500, count - sockets.length) }, async () => {
      const socket = connect(port, "127.0.0.1");
      sockets.push(socket);
      socket.write(ping);
      await once(socket, "data");
    }),
  );
}
await new Promise((resolve) => setTimeout(resolve, 1000));
const after = memory();
console.log(
  `${count} idle connections: ${before.toFixed(1)} MB before, ${after.toFixed(1)} MB after, ${(after - before).toFixed(1)} MB more`,
);
for (const socket of sockets) socket.destroy();

let answered = 0;
while (answered < millions * 1e6) {
  answered += await load(10);
  console.log(`${(answered / 1e6).toFixed(1)} million requests: ${memory().toFixed(1)} MB`);
}
await stop(server);

async function load(seconds: number): Promise<number> {
  const args = [String(port), "16", "16", String(seconds), echoRequest("header compact").toString("hex")];
  const child = fork(path("thrift/load.js"), args, { execPath: "taskset", execArgv: ["-c", "1", process.execPath] });
  await once(child, "message");
  const [{ answers }] = (await once(child, "message")) as [{ answers: number }];
  await once(child, "exit");
  return answers;
}
