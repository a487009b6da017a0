import { load, lost, until, type LoadOptions, type LoadResult } from "@tsserve/testing";
import { expect } from "vitest";
import { get, serveFleet, up } from "./fleet.ts";

/** Carries bodies both ways, at once and slowly. */
const carrier = (greeting: string): string => `const large = Buffer.alloc(3e6, "x");
const stream = (response, n = 0) => (n === 20 ? response.end() : (response.write(n + "\\n"), setTimeout(stream, 50, response, n + 1)));
export const makeApp = () => (request, response) => {
  if (request.url === "/echo") request.pipe(response);
  else if (request.url === "/large") response.end(large);
  else if (request.url === "/stream") stream(response);
  else response.end(JSON.stringify({ greeting: "${greeting}" }));
};
`;

/**
 * A client that keeps its connection sends its next request while its worker drains, or within a moment after that: on a busy machine it
 * may stand still for seconds before it sends what it had in mind, or reads what it asked for.
 */
export const unhurried = "drain_time = 3 seconds\nstop_timeout = 60";

/** Loads under way, by name, and how often each has had the answer that it expects. */
export class Loads {
  readonly #end = new AbortController();
  readonly #running = new Map<string, { readonly result: Promise<LoadResult>; answers: number }>();
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  begin(
    name: string,
    { expect: matches, ...options }: Omit<LoadOptions, "expect" | "port" | "signal"> & { expect: (body: string) => boolean },
  ): void {
    const counted = (body: string): boolean => {
      running.answers += 1;
      return matches(body);
    };
    const running = {
      answers: 0,
      result: load({ ...options, expect: counted, port: this.#port, signal: this.#end.signal, hungAfterMs: 60_000 }),
    };
    this.#running.set(name, running);
  }

  /** Waits until each of them has had an answer to so many requests, made from now on. */
  async served(count: number): Promise<void> {
    const before = new Map([...this.#running].map(([name, { answers }]) => [name, answers]));
    const isServed = (): boolean => [...this.#running].every(([name, { answers }]) => answers >= (before.get(name) ?? 0) + count);
    await until(`${count} answers for each load`, isServed, { timeoutMs: 60_000 });
  }

  /** Ends them; what each has lost. */
  async end(): Promise<Record<string, readonly [number, readonly string[]]>> {
    this.#end.abort();
    const ended = [...this.#running].map(async ([name, { result }]) => [name, [lost(await result), (await result).failures]] as const);
    return Object.fromEntries(await Promise.all(ended));
  }
}

/** Upgrades so many times in a row under every kind of load, and expects that nothing is lost. */
export async function upgradeUnderLoad(times: number): Promise<void> {
  await using fleet = await serveFleet({ server: unhurried, app: carrier("generation 1") });
  await up(fleet, 2);
  const loads = new Loads(fleet.port);
  const body = "0123456789abcdef".repeat(1024);
  const echoes = (answer: string): boolean => answer === body;
  loads.begin("kept", { clients: 8, keepAlive: true, body, path: "/echo", expect: echoes });
  loads.begin("new", { clients: 8, keepAlive: false, body, path: "/echo", expect: echoes });
  // How long a client that keeps its connection may take to read is bounded, and how slow this one is depends on the machine.
  loads.begin("slow", { clients: 2, keepAlive: false, path: "/large", readDelayMs: 10, expect: (answer) => answer.length === 3e6 });
  loads.begin("streams", { clients: 4, keepAlive: true, path: "/stream", expect: (answer) => answer.endsWith("19\n") });
  try {
    for (let generation = 2; generation <= 1 + times; generation++) {
      fleet.write("app.js", carrier(`generation ${generation}`));
      expect(await fleet.ctl("upgrade")).toMatchObject({ code: 0 });
      // The old ones answer, too, while they drain.
      await until("its answer", async () => (await get(fleet)).greeting === `generation ${generation}`);
    }
    await loads.served(1);
  } finally {
    expect(await loads.end()).toEqual({ kept: [0, []], new: [0, []], slow: [0, []], streams: [0, []] });
  }
}
