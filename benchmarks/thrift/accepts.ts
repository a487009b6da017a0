import { connect } from "node:net";

/** Waits until somebody listens. */
export async function accepts(port: number): Promise<void> {
  const end = performance.now() + 20_000;
  while (performance.now() < end) {
    const accepted = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.destroy();
        resolve(true);
      }).on("error", () => resolve(false));
    });
    if (accepted) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`nobody listens on port ${port}`);
}
