import { Agent, request } from "node:http";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

export interface GapResult {
  answered: number;
  /** Answers that are not 200, by status, and connections that failed. */
  readonly failures: Map<string, number>;
}

/**
 * Clients that post and pause, each for a time drawn anew, over a connection that is kept to the proxy in front: what the proxy keeps to
 * the server idles around the timeouts of both. Nothing is retried.
 */
export async function postWithGaps(port: number, clients: number, gapMs: () => number, forMs: number): Promise<GapResult> {
  const result: GapResult = { answered: 0, failures: new Map() };
  const fail = (what: string): void => void result.failures.set(what, (result.failures.get(what) ?? 0) + 1);
  const end = performance.now() + forMs;
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      for (let n = 0; performance.now() < end; n++) {
        const body = `${client}:${n}`;
        try {
          const sent = request({ agent, host: "127.0.0.1", port, method: "POST", path: "/" });
          sent.end(body);
          const [response] = (await once(sent, "response")) as [NodeJS.ReadableStream & { readonly statusCode?: number }];
          let text = "";
          for await (const part of response) text += String(part);
          if (response.statusCode === 200 && text === body) result.answered += 1;
          else fail(`status ${response.statusCode}`);
        } catch (error) {
          fail(String((error as NodeJS.ErrnoException).code ?? error));
        }
        await sleep(gapMs());
      }
      agent.destroy();
    }),
  );
  return result;
}
