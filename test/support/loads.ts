import { load, lost, until, type LoadOptions, type LoadResult } from "@tsserve/testing";
import { watchStandstills } from "./standstills.ts";

type Expected = (body: string) => boolean;

/** Loads under way, by name, of clients that go by what a stop promises: one that stood still for longer than a connection lingers may find it ended. */
export class Loads {
  readonly #end = new AbortController();
  readonly #running = new Map<string, { readonly result: Promise<LoadResult>; readonly clients: number; answers: number }>();
  readonly #standstills = watchStandstills();
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  begin(
    name: string,
    { expect: matches, ...options }: Omit<LoadOptions, "expect" | "port" | "signal"> & { readonly expect: Expected },
  ): void {
    const counted = (body: string): boolean => {
      running.answers += 1;
      return matches(body);
    };
    const result = load({ ...options, expect: counted, port: this.#port, signal: this.#end.signal, hungAfterMs: 60_000 });
    const running = { result, clients: options.clients, answers: 0 };
    this.#running.set(name, running);
  }

  /** Waits until each of them has had so many more answers. */
  async served(count: number): Promise<void> {
    const before = new Map([...this.#running].map(([name, { answers }]) => [name, answers]));
    const isServed = (): boolean => [...this.#running].every(([name, { answers }]) => answers >= (before.get(name) ?? 0) + count);
    await until(`${count} answers for each load`, isServed, { timeoutMs: 60_000 });
  }

  /**
   * Ends them, once those under way are over.
   *
   * @returns of each load that lost what it should not have, what that was; `{}` of those that lost nothing. Refusals are passed over
   *   where nobody is to listen any more.
   */
  async end({ mayBeRefused = false }: { readonly mayBeRefused?: boolean } = {}): Promise<Record<string, LoadResult>> {
    this.#end.abort();
    const losses: Record<string, LoadResult> = {};
    for (const [name, { result: running, clients }] of this.#running) {
      const result = await running;
      const excused = Math.min(result.reset, this.#standstills.count() * clients) + (mayBeRefused ? result.refused : 0);
      if (lost(result) > excused) losses[name] = result;
    }
    this.#standstills[Symbol.dispose]();
    return losses;
  }
}
