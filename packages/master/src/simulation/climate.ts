import type { FleetOptions } from "../fleet.ts";
import type { Random } from "./random.ts";

/** How the processes are at present: what their code, their database and their machine do to them. */
export interface Climate {
  readonly name: "calm" | "broken" | "slow" | "flaky" | "young" | "stuck" | "large" | "chaos";
  /** Chances of what a process does instead of coming up. */
  readonly failsToSpawn: number;
  readonly diesStarting: number;
  readonly hangsStarting: number;
  readonly slowStart: number;
  /** How long a process that serves lives, on average, until it dies or leaves by itself; 0: for ever. */
  readonly lifeMs: number;
  /** Of those, how many leave rather than die. */
  readonly leaves: number;
  /** How likely it is to stand still, at each of its reports, and for how long. */
  readonly standsStill: number;
  /** How likely a stop is not heeded at all. */
  readonly ignoresStop: number;
  /** How large it is from the beginning, as a share of the limit. */
  readonly memory: number;
}

const calm: Climate = {
  name: "calm",
  failsToSpawn: 0,
  diesStarting: 0,
  hangsStarting: 0,
  slowStart: 0.1,
  lifeMs: 0,
  leaves: 0,
  standsStill: 0,
  ignoresStop: 0,
  memory: 0.1,
};

export const climates: Readonly<Record<Climate["name"], Climate>> = {
  calm,
  broken: { ...calm, name: "broken", diesStarting: 0.9, failsToSpawn: 0.05 },
  slow: { ...calm, name: "slow", slowStart: 0.9, hangsStarting: 0.1 },
  flaky: { ...calm, name: "flaky", diesStarting: 0.1, lifeMs: 60_000, leaves: 0.5, ignoresStop: 0.1 },
  young: { ...calm, name: "young", lifeMs: 2000, leaves: 0.3 },
  stuck: { ...calm, name: "stuck", standsStill: 0.05, ignoresStop: 0.2 },
  large: { ...calm, name: "large", memory: 1.2 },
  chaos: {
    name: "chaos",
    failsToSpawn: 0.05,
    diesStarting: 0.2,
    hangsStarting: 0.1,
    slowStart: 0.3,
    lifeMs: 20_000,
    leaves: 0.4,
    standsStill: 0.03,
    ignoresStop: 0.1,
    memory: 0.9,
  },
};

export function randomClimate(random: Random): Climate {
  return climates[random.pick(["calm", "calm", "broken", "slow", "flaky", "young", "stuck", "large", "chaos"] as const)];
}

/** What an operator writes into the file. */
export function randomOptions(random: Random): FleetOptions {
  return {
    upgradeMode: random.pick(["smooth", "fleet"]),
    startTimeoutMs: random.pick([2000, 10_000, 60_000]),
    killAfterMs: random.pick([1000, 15_000, 40_000]),
    limits: {
      maxRequests: random.chance(0.3) ? random.integer(50, 2000) : undefined,
      maxRequestsJitter: random.pick([0, 100]),
      maxAgeMs: random.chance(0.3) ? random.integer(5000, 300_000) : undefined,
      maxMemoryBytes: random.chance(0.5) ? 1000 : undefined,
    },
    workerTimeoutMs: random.chance(0.5) ? random.pick([2000, 10_000]) : undefined,
  };
}
