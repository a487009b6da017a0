import { longestDelayMs, youngMs } from "../deaths.ts";
import type { Action, Fleet, FleetEvent, Worker } from "../fleet.ts";
import { stackTimeMs } from "../settle.ts";
import { cutTimeMs } from "../step.ts";
import { check } from "./violation.ts";

/** How late anything may be that the master was not told in time. */
const slackMs = 100;
/** More is not started in one slot by deaths alone: 250 ms, doubled up to 30 s, are 9 starts in the first minute. */
const startsAtOnce = 12;
const startsPerMs = 1 / 15_000;

interface Told {
  stops: number;
  kills: number;
  drains: number;
  cuts: number;
}

/**
 * What must hold after every step, whatever has happened. It keeps its own books, and asks the model only for what it
 * claims: that a claim is true is seen by what was done.
 */
export class Invariants {
  /** What each living process has been told. */
  readonly #told = new Map<number, Told>();
  readonly #waiting = new Map<number, "upgrade" | "resize" | "stop">();
  /** Starts in each slot since the operator last changed something, or a worker has shown that it can live. */
  readonly #starts = new Map<number, number>();
  #startsSince = 0;
  #upgradeSince = 0;
  #longestStartMs = 0;
  #mostSlots = 0;
  #stopAt: number | undefined;
  #stopBoundMs = 0;
  #hasEnded = false;
  /** Whether any process has ever told that it is up, to a master that waited for it. */
  hasServed = false;

  /** An operator asks for something. */
  asked(request: number, what: "upgrade" | "resize" | "stop"): void {
    this.#waiting.set(request, what);
  }

  /** The master was suspended, or what it waited for was late: its bounds begin anew. */
  paused(ms: number): void {
    if (this.#stopAt !== undefined) this.#stopAt += ms;
    this.#upgradeSince += ms;
  }

  after(before: Fleet, event: FleetEvent, fleet: Fleet, actions: readonly Action[], now: number): void {
    check(!this.#hasEnded || actions.every(({ type }) => type === "answer" || type === "ended"), () => "something is done after the end");
    this.#note(before, event, fleet, now);
    this.#checkUpgrade(fleet, now);
    this.#checkTick(fleet, now);
    this.#checkStop(fleet, now);
    if (actions.length === 0 && isSame(before, fleet)) return;
    this.#checkWorkers(fleet);
    for (const action of actions) this.#checkAction(action, now);
    checkTold(before, event, fleet, actions);
    this.#checkStopsOfServing(before, event, fleet, actions);
    this.#checkSlots(fleet, now);
    this.#checkSockets(fleet);
    for (const [request, what] of this.#waiting)
      check(what === "upgrade" && fleet.upgrade?.requests.includes(request) === true, () => `request ${request} (${what}) is forgotten`);
  }

  #checkWorkers({ workers }: Fleet): void {
    const indices = new Set(workers.map(({ index }) => index));
    check(indices.size === workers.length, () => "two workers have one index");
    const starting = workers.filter(({ state }) => state === "starting").map(({ slot }) => slot);
    check(new Set(starting).size === starting.length, () => "two workers start in one slot");
    const alive = workers.filter(({ state }) => state !== "stopping").length;
    check(alive <= 2 * Math.max(this.#mostSlots, 1), () => `${alive} workers serve or start`);
  }

  #note(before: Fleet, event: FleetEvent, fleet: Fleet, now: number): void {
    this.#mostSlots = Math.max(this.#mostSlots, fleet.target);
    this.#longestStartMs = Math.max(this.#longestStartMs, fleet.options.startTimeoutMs);
    if (event.type === "acknowledged" && before.workers.some(({ id, state }) => id === event.id && state === "starting"))
      this.hasServed = true;
    const changes = event.type === "upgrade" || event.type === "resize" || event.type === "configured";
    if (changes) this.#upgradeSince = now;
    const lives = this.#starts.size > 0 && fleet.workers.some((worker) => isGrown(worker, this.#startsSince, now));
    if (changes || lives || hasReplaced(before, event)) {
      this.#starts.clear();
      this.#startsSince = now;
    }
    if (event.type === "stop") {
      this.#stopAt ??= now;
      const bound = Math.max(0, ...fleet.workers.map((worker) => stopBoundOf(worker, event.how)));
      this.#stopBoundMs = event.how === "cut" ? now - this.#stopAt + cutTimeMs : Math.max(this.#stopBoundMs, bound);
    }
    if (fleet.stopping === "never-served" && this.#stopAt === undefined) {
      check(!this.hasServed, () => "it gives up though a worker has served");
      this.#stopAt = now;
      this.#stopBoundMs = Math.max(0, ...fleet.workers.map((worker) => stopBoundOf(worker, "gracefully")));
    }
    if (event.type === "exited") this.#told.delete(event.id);
  }

  #checkAction(action: Action, now: number): void {
    if (action.type === "answer") {
      check(this.#waiting.delete(action.request), () => `request ${action.request} is answered twice, or was never asked`);
    } else if (action.type === "spawn") {
      this.#told.set(action.worker.id, { stops: 0, kills: 0, drains: 0, cuts: 0 });
      const starts = (this.#starts.get(action.worker.slot) ?? 0) + 1;
      this.#starts.set(action.worker.slot, starts);
      const most = startsAtOnce + (now - this.#startsSince) * startsPerMs;
      check(starts <= most, () => `a busy loop: ${starts} starts in slot ${action.worker.slot} within ${now - this.#startsSince} ms`);
      check(this.#stopAt === undefined, () => "a worker is started while it stops");
    } else if (action.type === "ended") {
      check(this.#told.size === 0, () => "it has ended, and workers are there");
      this.#hasEnded = true;
    } else if (action.type !== "tell") {
      this.#checkOrder(action);
    }
  }

  #checkOrder(action: Extract<Action, { worker: Worker }>): void {
    const { id } = action.worker;
    const told = this.#told.get(id);
    check(told !== undefined, () => `${action.type} to worker ${id}, which is not there`);
    const count = { stop: "stops", kill: "kills" } as const;
    if (action.type === "stop" || action.type === "kill") {
      told[count[action.type]] += 1;
      check(told[count[action.type]] === 1, () => `worker ${id} is told twice: ${action.type}`);
    } else if (action.type === "hurry") {
      const which = action.ends === "drain" ? "drains" : "cuts";
      told[which] += 1;
      check(told[which] === 1, () => `worker ${id} is hurried twice: ${action.ends}`);
    }
  }

  /** As many up as could be: no order leaves fewer than there should be, or than there were. */
  #checkStopsOfServing(before: Fleet, event: FleetEvent, fleet: Fleet, actions: readonly Action[]): void {
    if (fleet.stopping !== "no") return;
    const gone =
      (event.type === "exited" || event.type === "leaving") && before.workers.some(({ id, state }) => id === event.id && state === "up");
    const came = event.type === "acknowledged" && before.workers.some(({ id, state }) => id === event.id && state === "starting");
    const couldBe = Math.min(fleet.target, upCount(before) - Number(gone) + Number(came));
    check(
      upCount(fleet) >= couldBe,
      () => `${upCount(fleet)} workers are up, ${couldBe} could be (${actions.map(({ type }) => type).join(", ")})`,
    );
  }

  /** Every slot has somebody who serves or starts, unless the next start has to wait. */
  #checkSlots(fleet: Fleet, now: number): void {
    if (fleet.stopping !== "no" || now < fleet.notBefore || (!fleet.hasServed && fleet.failedStarts > 0)) return;
    for (let slot = 0; slot < fleet.target; slot++) {
      const isFilled = fleet.workers.some((worker) => worker.slot === slot && worker.state !== "stopping");
      check(isFilled, () => `nobody serves or starts in slot ${slot}`);
    }
    check(fleet.notBefore - now <= longestDelayMs, () => `the next start is ${fleet.notBefore - now} ms away`);
  }

  /** Every set of sockets is accepted on by its own worker, by all others, or by nobody because nobody can. */
  #checkSockets({ workers, sets, stopping }: Fleet): void {
    if (stopping !== "no" || sets < 2) return;
    const serving = workers.filter(({ state, isSilent, rests, set }) => state === "up" && !isSilent && !rests && set !== undefined);
    for (let set = 0; set < sets; set++) {
      const isServed = serving.some((worker) => worker.set === set);
      for (const { id, lent } of serving) {
        check(
          isServed !== lent.includes(set),
          () => `set ${set} ${isServed ? "has its worker, and" : "has nobody, and not"} worker ${id} accepts on it`,
        );
        check(new Set(lent).size === lent.length, () => `worker ${id} was lent a set twice`);
      }
    }
  }

  /** An upgrade ends: each slot may fail a few times, and each time takes no longer than a start and its delay. */
  #checkUpgrade({ upgrade }: Fleet, now: number): void {
    if (upgrade === undefined) return;
    const most = (3 * this.#mostSlots + 4) * (this.#longestStartMs + longestDelayMs);
    check(now - this.#upgradeSince <= most, () => `the upgrade to ${upgrade.generation} has not ended in ${now - this.#upgradeSince} ms`);
  }

  /** Time that has been asked for lies ahead: else the loop would turn without end. */
  #checkTick({ tickAt }: Fleet, now: number): void {
    check(tickAt === undefined || tickAt > now, () => `a tick is asked for at ${tickAt}, and it is ${now}`);
  }

  #checkStop(fleet: Fleet, now: number): void {
    if (this.#stopAt === undefined || fleet.workers.length === 0) return;
    const ms = now - this.#stopAt;
    check(ms <= this.#stopBoundMs + stackTimeMs + slackMs, () => `the stop has not ended in ${ms} ms`);
  }
}

/** A worker that is to stop has been told so, unless it said so itself, or would not hear it. */
function checkTold(before: Fleet, event: FleetEvent, fleet: Fleet, actions: readonly Action[]): void {
  for (const { id, state, askedAt } of fleet.workers) {
    const was = before.workers.find((worker) => worker.id === id);
    if (state !== "stopping" || was === undefined || was.state === "stopping") continue;
    const isTold = actions.some((action) => action.type === "stop" && action.worker.id === id);
    const isOwnDecision = event.type === "leaving" && event.id === id;
    check(isTold || isOwnDecision || askedAt !== undefined, () => `worker ${id} is to stop, and was not told`);
  }
}

/** Whether nothing has changed that the checks of workers go by; the start that has to wait may have become due. */
function isSame(before: Fleet, fleet: Fleet): boolean {
  if (before.workers.length !== fleet.workers.length || before.sets !== fleet.sets || before.target !== fleet.target) return false;
  if (before.upgrade !== fleet.upgrade || before.stopping !== fleet.stopping || fleet.youngDeaths > 0 || !fleet.hasServed) return false;
  return before.workers.every((worker, index) => {
    const after = fleet.workers[index];
    return (
      after?.id === worker.id &&
      after.state === worker.state &&
      after.isSilent === worker.isSilent &&
      after.rests === worker.rests &&
      after.lent === worker.lent
    );
  });
}

/** Limits replace workers by design, however often they are reached. */
function hasReplaced(before: Fleet, event: FleetEvent): boolean {
  return event.type === "acknowledged" && before.workers.some(({ retires }) => retires);
}

function isGrown({ state, upAt, startedAt }: Worker, since: number, now: number): boolean {
  return state === "up" && now - (upAt ?? now) >= youngMs && startedAt >= since;
}

function stopBoundOf({ killAfterMs }: Worker, how: string): number {
  return how === "cut" || how === "kill" ? cutTimeMs : killAfterMs;
}

function upCount({ workers }: Fleet): number {
  return workers.filter(({ state }) => state === "up").length;
}
