import { once } from "node:events";
import { createServer } from "node:net";

/**
 * A port that is free on all addresses of this machine, below the range from which the kernel takes those of
 * outgoing connections (32768 on Linux): nobody else is likely to take it in the meantime.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const server = createServer().listen(port);
    const [outcome] = await Promise.race([once(server, "listening").then(() => ["free"]), once(server, "error")]);
    if (outcome !== "free") continue;
    server.close();
    await once(server, "close");
    return port;
  }
}
