import { describe, expect, test } from "vitest";
import type { Action, Fleet } from "../fleet.ts";
import { step } from "../step.ts";
import { simulate } from "./simulate.ts";
import type { Model } from "./world.ts";

test("lives of a master that chance makes up: everything holds that must", () => {
  // The seed of a failure is in the message: npm run simulate -- --seed N does the same again.
  const seed = Math.floor(Math.random() * 2 ** 31);
  expect(simulate(seed, 10_000)).toMatchObject({ seed, violation: undefined });
});

test("a set that was lent between two looks at what really is was not neglected all the time", () => {
  expect(simulate(1195589619, 75_000).violation).toBeUndefined();
});

test("of two workers of a slot that are both to be replaced one serves on, not both", () => {
  expect(simulate(2129159208, 28_000).violation).toBeUndefined();
});

test("a seed does the same again", () => {
  expect(simulate(7, 5000)).toEqual(simulate(7, 5000));
});

/** The model with its actions changed. */
const withActions =
  (change: (actions: readonly Action[]) => readonly Action[]): Model =>
  (fleet, event, now) => {
    const { fleet: after, actions } = step(fleet, event, now);
    return { fleet: after, actions: change(actions) };
  };
const without = (type: Action["type"]): Model => withActions((actions) => actions.filter((action) => action.type !== type));
const twice = (type: Action["type"]): Model =>
  withActions((actions) => actions.flatMap((action) => (action.type === type ? [action, action] : [action])));
/** The model with what it remembers changed. */
const withFleet =
  (change: (fleet: Fleet, before: Fleet, now: number) => Fleet): Model =>
  (fleet, event, now) => {
    const { fleet: after, actions } = step(fleet, event, now);
    return { fleet: change(after, fleet, now), actions };
  };

describe("a fault that is planted is found", () => {
  test.each<[string, RegExp, Model]>([
    ["a request is not answered", /is forgotten/, without("answer")],
    ["a request is answered twice", /is answered twice/, twice("answer")],
    ["a worker is told to stop twice", /told twice: stop/, twice("stop")],
    ["a worker is killed twice", /told twice: kill/, twice("kill")],
    ["a worker is hurried twice", /hurried twice/, twice("hurry")],
    ["nobody is killed", /has not ended|not as it should be/, without("kill")],
    ["nobody is told to stop", /was not told/, without("stop")],
    ["sockets are not lent", /accepts elsewhere/, without("lend")],
    ["sockets are not taken back", /accepts elsewhere|lent twice/, without("take-back")],
    [
      "deaths are forgotten, and nobody waits",
      /a busy loop/,
      withFleet((fleet) => ({ ...fleet, youngDeaths: 0, notBefore: Number.NEGATIVE_INFINITY })),
    ],
    ["delays do not grow", /a busy loop/, withFleet((fleet) => ({ ...fleet, youngDeaths: Math.min(2, fleet.youngDeaths) }))],
    ["a tick is asked for at once", /a tick is asked for/, withFleet((fleet, _before, now) => ({ ...fleet, tickAt: now }))],
    [
      "silence is not noticed",
      /nobody accepts on set/,
      withFleet((fleet, _before, now) => ({
        ...fleet,
        workers: fleet.workers.map((worker) => ({ ...worker, heardAt: now, isSilent: false })),
      })),
    ],
    [
      "indices repeat",
      /two workers have one index/,
      withFleet((fleet) => ({ ...fleet, workers: fleet.workers.map((worker) => ({ ...worker, index: worker.slot })) })),
    ],
    ["it gives up though it has served", /gives up|once|nobody|busy/, withFleet((fleet) => ({ ...fleet, hasServed: false }))],
    [
      "an upgrade goes on for ever",
      /answered twice|has not ended|not as it should be/,
      withFleet((fleet, before) => ({ ...fleet, upgrade: fleet.stopping === "no" ? (fleet.upgrade ?? before.upgrade) : fleet.upgrade })),
    ],
    [
      "an old worker goes before the new one is up",
      /could be/,
      (fleet, event, now) => {
        const { fleet: after, actions } = step(fleet, event, now);
        const victim = event.type === "upgrade" ? after.workers.find(({ state }) => state === "up") : undefined;
        if (victim === undefined || after.stopping !== "no") return { fleet: after, actions };
        const workers = after.workers.map((worker) => (worker === victim ? { ...worker, state: "stopping" as const, since: now } : worker));
        return { fleet: { ...after, workers }, actions: [...actions, { type: "stop", worker: victim, reason: "upgrade" }] };
      },
    ],
  ])("%s", (_, message, model) => {
    for (let seed = 1; seed <= 8; seed++) {
      const { violation } = simulate(seed, 8000, model);
      if (violation === undefined) continue;
      expect(violation.split("\n", 1)[0]).toMatch(message);
      return;
    }
    expect.fail("it was not found");
  });
});
