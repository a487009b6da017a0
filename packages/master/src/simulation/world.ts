import { makeFleet, type Action, type Fleet, type FleetEvent, type Step } from "../fleet.ts";
import { step } from "../step.ts";
import { Agenda } from "./agenda.ts";
import { climates, randomClimate, randomOptions, type Climate } from "./climate.ts";
import { Invariants } from "./invariants.ts";
import { SimulatedProcess } from "./process.ts";
import type { Random } from "./random.ts";
import { check } from "./violation.ts";

/** The function that is put to the test: planted faults wrap it. */
export type Model = (fleet: Fleet, event: FleetEvent, now: number) => Step;

const mostWorkers = 6;
const trailLength = 50;
/** A report, its way, the silence that is waited for, and somebody who takes the place and stands still at once, too. */
const mostNeglectMs = 12_000;
/** In so much time of calm everything is as it should be: the longest start that hangs, the longest delay, the longest stop. */
const calmMs = 400_000;

/**
 * One life of a master, from its start to its stop, with processes and an operator that do whatever chance says, over a
 * clock of its own.
 */
export class World {
  readonly #random: Random;
  readonly #model: Model;
  readonly #agenda = new Agenda();
  readonly #invariants = new Invariants();
  readonly #processes = new Map<number, SimulatedProcess>();
  readonly #queue: FleetEvent[] = [];
  /** Since when nobody accepts on a set, though somebody could. */
  readonly #neglectedSince = new Map<number, number>();
  /** How many sets of sockets can be had: elsewhere all slots share one. */
  readonly #mostSets: number;
  #sets = 0;
  #now = 1000;
  #fleet: Fleet;
  #climate: Climate;
  #lastRequest = 0;
  #isStepping = false;
  #isStopping = false;
  /** No operator any more. */
  #isCalm = false;
  #hasEnded = false;
  steps = 0;
  /** The last steps, for who has to find out. */
  readonly #trail: ({ readonly at: number; readonly event: FleetEvent; readonly actions: readonly Action[] } | undefined)[] = [];

  constructor(random: Random, model: Model = step) {
    this.#random = random;
    this.#model = model;
    this.#mostSets = random.chance(0.7) ? 64 : 1;
    this.#climate = random.chance(0.7) ? climates.calm : randomClimate(random);
    this.#fleet = makeFleet(random.integer(1, mostWorkers), randomOptions(random));
  }

  /** The last steps in words, the oldest first. */
  trail(): string[] {
    const from = (this.steps + 1) % trailLength;
    const known = [...this.#trail.slice(from), ...this.#trail.slice(0, from)].filter((each) => each !== undefined);
    const steps = known.map(({ at, event, actions }) => `${Math.round(at)} ${JSON.stringify(event)} ${actions.map(describe).join(", ")}`);
    return [...steps, this.#print()];
  }

  /** Runs the whole life, of about so many steps. @throws {Violation} */
  live(steps: number): void {
    this.#send({ type: "tick" });
    this.#agenda.add(this.#now + 1000, () => this.#operate());
    while (this.steps < steps && !this.#hasEnded) this.#advance();
    if (this.#hasEnded) return;
    if (this.#fleet.hasServed && this.#fleet.stopping === "no") this.#calmDown();
    if (!this.#hasEnded) this.#stop(this.#random.pick(["gracefully", "gracefully", "cut"]));
    while (!this.#hasEnded) {
      check(!this.#agenda.isEmpty || this.#fleet.tickAt !== undefined, () => "nothing is left to happen, and the stop has not ended");
      this.#advance();
    }
    check(
      [...this.#processes.values()].every(({ isAlive }) => !isAlive),
      () => "the master has ended, and a process lives",
    );
  }

  /** The next thing that is due happens: something in the world, or the tick that the master asked for. */
  #advance(): void {
    const tickAt = this.#fleet.tickAt ?? Number.POSITIVE_INFINITY;
    if (tickAt < this.#agenda.next) {
      this.#now = Math.max(this.#now, tickAt);
      this.#send({ type: "tick" });
    } else {
      this.#now = Math.max(this.#now, this.#agenda.next);
      this.#agenda.take()?.();
    }
  }

  /** Whatever was, in the end all slots are served, by one worker each. */
  #calmDown(): void {
    this.#isCalm = true;
    this.#climate = climates.calm;
    this.#send({
      type: "configured",
      options: { ...this.#fleet.options, limits: { ...this.#fleet.options.limits, maxAgeMs: undefined, maxRequests: undefined } },
    });
    // Those that run already have their fate; what is started from now on is well.
    for (const until = this.#now + calmMs; this.#now < until && !this.#hasEnded;) this.#advance();
    // The last of those that had a fate may have gone a moment ago.
    for (const until = this.#now + calmMs; this.#now < until && !this.#isSettled();) this.#advance();
    check(this.#hasEnded || this.#isSettled(), () => `after long calm it is not as it should be: ${this.#print()}`);
  }

  #isSettled(): boolean {
    const { workers, target, upgrade } = this.#fleet;
    const slots = new Set(workers.map(({ slot }) => slot));
    return upgrade === undefined && workers.length === target && slots.size === target && workers.every(({ state }) => state === "up");
  }

  /** The operator, who also is the weather. */
  #operate(): void {
    if (this.#isStopping || this.#isCalm) return;
    const random = this.#random;
    const times = random.chance(0.1) ? random.integer(2, 5) : 1;
    const what = random.next();
    for (let time = 0; time < times; time++) {
      if (what < 0.35) this.#climate = randomClimate(random);
      else if (what < 0.55) this.#ask("upgrade", (request) => ({ type: "upgrade", request }));
      else if (what < 0.7) this.#resize();
      else if (what < 0.8) this.#send({ type: "configured", options: randomOptions(random) });
      else if (what < 0.87) this.#suspend();
      else if (what < 0.93) this.#killSome();
      else if (what < 0.97) this.#rest();
      else if (what < 0.971) this.#stop(random.pick(["gracefully", "drain", "cut"]));
    }
    this.#agenda.add(this.#now + random.between(10, 40_000), () => this.#operate());
  }

  #resize(): void {
    const target = this.#random.integer(0, mostWorkers);
    this.#ask("resize", (request) => ({ type: "resize", target, request }));
  }

  /** The machine was asleep: everything that was due comes late, in any order that chance has it. */
  #suspend(): void {
    const ms = this.#random.between(1000, 60_000);
    this.#now += ms;
    this.#neglectedSince.clear();
    this.#invariants.paused(ms);
  }

  /** `kill -9` of workers, by somebody. */
  #killSome(): void {
    for (const process of this.#processes.values()) if (process.isAlive && this.#random.chance(0.4)) process.kill();
  }

  /** Somebody takes a snapshot of a worker, which takes as long as it takes. */
  #rest(): void {
    const { workers } = this.#fleet;
    if (workers.length === 0) return;
    const { id } = this.#random.pick(workers);
    this.#send({ type: "rest", id, ms: 100_000 });
    this.#agenda.add(this.#now + this.#random.between(0, 90_000), () => this.#send({ type: "return", id }));
  }

  #stop(how: "gracefully" | "drain" | "cut"): void {
    this.#isStopping = true;
    for (const each of how === "drain" ? (["gracefully", "drain"] as const) : [how])
      this.#ask("stop", (request) => ({ type: "stop", how: each, request }));
    if (this.#random.chance(0.5)) this.#agenda.add(this.#now + this.#random.between(0, 5000), () => this.#stopAgain());
  }

  #stopAgain(): void {
    if (!this.#hasEnded)
      this.#ask("stop", (request) => ({ type: "stop", how: this.#random.pick(["gracefully", "drain", "cut"]), request }));
  }

  #ask(what: "upgrade" | "resize" | "stop", event: (request: number) => FleetEvent): void {
    const request = ++this.#lastRequest;
    this.#invariants.asked(request, what);
    this.#send(event(request));
  }

  #send(event: FleetEvent): void {
    if (this.#hasEnded) return;
    this.#queue.push(event);
    if (this.#isStepping) return;
    this.#isStepping = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) this.#step(next);
    this.#isStepping = false;
  }

  #step(event: FleetEvent): void {
    const before = this.#fleet;
    const { fleet, actions } = this.#model(before, event, this.#now);
    this.steps += 1;
    this.#fleet = fleet;
    this.#trail[this.steps % trailLength] = { at: this.#now, event, actions };
    this.#invariants.after(before, event, fleet, actions, this.#now);
    for (const action of actions) this.#perform(action);
    if (actions.length > 0) this.#checkTruth();
    // Once a set is neglected, each step is looked at: what was mended between two looks is not neglected all the time.
    if (this.steps % 8 === 0 || this.#neglectedSince.size > 0) this.#checkReality();
  }

  #perform(action: Action): void {
    if (action.type === "ended") this.#hasEnded = true;
    if (action.type === "spawn") return this.#spawn(action.worker.id, action.worker.slot, action.worker.killAfterMs);
    if (!("worker" in action)) return undefined;
    const process = this.#processes.get(action.worker.id);
    check(process !== undefined, () => `${action.type} to a worker that was never spawned`);
    if (action.type === "stop") process.stop();
    else if (action.type === "hurry") process.hurry(action.ends);
    else if (action.type === "kill") process.kill();
    else if (action.type === "rest") process.rests = true;
    else if (action.type === "return") process.rests = false;
    else if (action.type === "lend") process.lent.add(action.set);
    else if (action.type === "take-back") check(process.lent.delete(action.set), () => "a set is taken back that was not lent");
    return undefined;
  }

  #spawn(id: number, slot: number, killAfterMs: number): void {
    const sets = Math.min(this.#mostSets, Math.max(this.#sets, slot + 1));
    if (sets !== this.#sets) this.#send({ type: "sockets", sets });
    this.#sets = sets;
    const process = new SimulatedProcess({ ...this.#surroundings, random: this.#random }, id, slot % this.#sets, killAfterMs);
    this.#processes.set(id, process);
    if (this.#random.chance(this.#climate.failsToSpawn)) {
      process.isAlive = false;
      return this.#send({ type: "exited", id, code: null, signal: null });
    }
    this.#send({ type: "spawned", id, pid: 1000 + id, set: process.set, jitter: this.#random.next() });
    return process.start();
  }

  /**
   * What really is, whatever the master believes: as long as somebody can accept, each socket is accepted on by somebody,
   * but for the time that it takes to find out that a worker stands still.
   */
  #checkReality(): void {
    if (this.#sets < 2 || this.#isStopping || this.#fleet.stopping !== "no") return;
    // Who was told to stop, and does not heed it, is nobody's hope.
    const able = this.#fleet.workers.flatMap(({ id, state }) => {
      const process = state === "up" ? this.#processes.get(id) : undefined;
      return process?.canAccept(this.#now) === true ? [process] : [];
    });
    for (let set = 0; set < this.#sets; set++) {
      const isAccepted = able.length === 0 || able.some((process) => process.set === set || process.lent.has(set));
      if (isAccepted) this.#neglectedSince.delete(set);
      else if (!this.#neglectedSince.has(set)) this.#neglectedSince.set(set, this.#now);
      const ms = this.#now - (this.#neglectedSince.get(set) ?? this.#now);
      check(ms <= mostNeglectMs, () => `nobody accepts on set ${set} for ${Math.round(ms)} ms, and ${able.length} workers could`);
    }
  }

  /** What the master believes of who accepts where is what the processes do. */
  #checkTruth(): void {
    if (this.#sets < 2) return;
    for (const { id, lent, state } of this.#fleet.workers) {
      const process = this.#processes.get(id);
      if (state !== "up" || process === undefined) continue;
      check(
        lent.length === process.lent.size && lent.every((set) => process.lent.has(set)),
        () => `worker ${id} accepts elsewhere than its master thinks`,
      );
    }
  }

  readonly #surroundings = {
    agenda: this.#agenda,
    now: (): number => this.#now,
    climate: (): Climate => this.#climate,
    say: (event: FleetEvent): void => this.#agenda.add(this.#now + this.#random.between(0, 30), () => this.#send(event)),
    ended: ({ id }: SimulatedProcess, code: number | null, signal: string | null): void =>
      this.#agenda.add(this.#now + this.#random.between(0, 30), () => {
        this.#processes.delete(id);
        this.#send({ type: "exited", id, code, signal });
      }),
  };

  #print(): string {
    const workers = this.#fleet.workers.map(
      ({ id, slot, state, generation, lent }) => `${id}:${slot}:${generation}:${state}:${lent.join("+")}`,
    );
    return `${this.#fleet.target} wanted; ${workers.join(" ")}${this.#fleet.upgrade === undefined ? "" : "; upgrading"}`;
  }
}

function describe(action: Action): string {
  if (action.type === "tell") return `tell ${action.event.type}`;
  return "worker" in action ? `${action.type} ${action.worker.id}` : action.type;
}
