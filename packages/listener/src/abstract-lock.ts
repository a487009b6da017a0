import { createServer } from "node:net";

const retryMs = 20;
const patienceMs = 5000;

/**
 * Runs `work` while no other process of this network namespace runs its own under the same name. The lock is a unix
 * socket in Linux's abstract namespace (unix(7)): it has no file, and goes with its process, however that ends. It is a
 * courtesy among our own masters: whoever does not get it within five seconds goes on without it, and so does everybody
 * on other systems.
 */
export async function withAbstractLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  if (process.platform !== "linux") return work();
  const release = await take(`\0tsserve:${name}`);
  try {
    return await work();
  } finally {
    release();
  }
}

async function take(path: string): Promise<() => void> {
  const until = performance.now() + patienceMs;
  for (;;) {
    const server = createServer();
    const isTaken = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen({ path }, () => resolve(true));
    });
    if (isTaken) return () => server.close();
    if (performance.now() > until) return () => undefined;
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
}
