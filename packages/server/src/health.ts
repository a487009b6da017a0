import { asError } from "@tsserve/config";
import { ownerOf } from "./guard.ts";
import type { ServerState } from "./state.ts";
import { systemClock, wait, type Clock } from "./clock.ts";

export type Probe = "readiness" | "liveness" | "startup";

/** The numbers that the probes have on the Thrift wire (baseplate.thrift, `IsHealthyProbe`), valid over HTTP too. */
export const probeNumbers: Readonly<Record<Probe, number>> = { readiness: 1, liveness: 2, startup: 3 };

export type HealthCheck = (probe: Probe) => boolean | Promise<boolean>;

export type HealthStatus = "ok" | "shutting_down" | "unhealthy";

const checkTimeoutMs = 5000;

/** The probe of a name (any case) or number; `undefined` for anything else. */
export function parseProbe(text: string): Probe | undefined {
  const probes = Object.keys(probeNumbers) as Probe[];
  return probes.find((probe) => probe === text.toLowerCase() || String(probeNumbers[probe]) === text);
}

/** The app's health checks, and the answer to a probe. */
export class Health {
  readonly #checks: { readonly owner: string; readonly check: HealthCheck }[] = [];
  readonly #state: ServerState;
  readonly #clock: Clock;
  readonly #report: (error: Error, probe: Probe, owner: string) => void;

  /** @param report is told of each check that threw or took longer than 5 s, which counts as unhealthy */
  constructor(state: ServerState, report: (error: Error, probe: Probe, owner: string) => void, clock: Clock = systemClock) {
    this.#state = state;
    this.#report = report;
    this.#clock = clock;
  }

  /** @throws {TypeError} when it is no function */
  add(check: HealthCheck): void {
    if (typeof check !== "function") throw new TypeError(`expected a health check, a function, found ${typeof check}`);
    this.#checks.push({ owner: ownerOf("the health check", check), check });
  }

  /** One of the server's own. Whose it is need not be looked for on the stack, which takes a start some milliseconds. */
  addOwn(owner: string, check: HealthCheck): void {
    this.#checks.push({ owner, check });
  }

  /** Readiness fails as soon as the stop signal has come; liveness and startup do not. */
  async answer(probe: Probe): Promise<HealthStatus> {
    if (probe === "readiness" && this.#state.shutting_down) return "shutting_down";
    const results = await Promise.all(this.#checks.map(({ owner, check }) => this.#run(check, probe, owner)));
    return results.every(Boolean) ? "ok" : "unhealthy";
  }

  async #run(check: HealthCheck, probe: Probe, owner: string): Promise<boolean> {
    const done = new AbortController();
    const late = wait(this.#clock, checkTimeoutMs, done.signal).then(() => {
      if (done.signal.aborted) return false;
      throw new Error(`the health check did not answer within ${checkTimeoutMs} ms`);
    });
    try {
      return await Promise.race([Promise.resolve(check(probe)), late]);
    } catch (error) {
      this.#report(asError(error), probe, owner);
      return false;
    } finally {
      done.abort();
    }
  }
}
