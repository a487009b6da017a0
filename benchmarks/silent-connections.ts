// What do connections cost that say nothing? Memory over the idle server, and whether others are still answered.
import { connect, type Socket } from "node:net";
import { freePort } from "@tsserve/testing";
import { bin, firstAnswer, path, residentMb, startPinned, stop } from "./servers.ts";

const count = Number(process.argv[2] ?? 10_000);

async function measure(name: string, args: (port: number) => string[], limit: number): Promise<void> {
  const port = await freePort();
  const server = startPinned(0, args(port));
  await firstAnswer(port);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const before = residentMb(server.pid as number);
  const sockets: Socket[] = [];
  let refused = 0;
  while (sockets.length < count) {
    await Promise.all(
      Array.from({ length: Math.min(500, count - sockets.length) }, async () => {
        const socket = connect(port, "127.0.0.1");
        sockets.push(socket);
        await new Promise<void>((resolve) => {
          socket.once("connect", () => resolve());
          socket.on("error", () => resolve(void (refused += 1)));
        });
        // Half of them begin a request and never end it.
        if (sockets.length % 2 === 0) socket.write("GET / HTTP/1.1\r\nHost: loc");
      }),
    );
  }
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const after = residentMb(server.pid as number);
  const begun = performance.now();
  const answered = await Promise.race([firstAnswer(port), new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 5000))]);
  const ms = answered === undefined ? "no answer in 5000" : Math.round(answered - begun);
  console.log(
    `${name}: ${count} connections, ${refused} refused; ${before.toFixed(1)} MB before, ${after.toFixed(1)} MB after (${(((after - before) * 1024) / count).toFixed(2)} kB each); another client: ${ms} ms; limit ${limit}`,
  );
  for (const socket of sockets) socket.destroy();
  await stop(server);
}

await measure("by hand", (port) => [path("apps/hello-by-hand.js"), String(port)], Number.POSITIVE_INFINITY);
await measure("tsserve", (port) => [bin, path("apps/hello.ini"), "--bind", `127.0.0.1:${port}`], 10_000);
