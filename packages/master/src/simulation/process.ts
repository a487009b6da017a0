import type { Agenda } from "./agenda.ts";
import type { Climate } from "./climate.ts";
import type { FleetEvent } from "../fleet.ts";
import type { Random } from "./random.ts";

/** What a process needs of the world that it runs in. */
export interface Surroundings {
  readonly random: Random;
  readonly agenda: Agenda;
  now(): number;
  climate(): Climate;
  /** Tells the master something, after a moment. */
  say(event: FleetEvent): void;
  /** The kernel tells the master that it has ended. */
  ended(process: SimulatedProcess, code: number | null, signal: string | null): void;
}

/** A worker's process, as it really is: what the master thinks of it may be another thing. */
export class SimulatedProcess {
  readonly id: number;
  readonly set: number;
  /** Sets that it accepts on in the place of others. */
  readonly lent: Set<number> = new Set();
  isAlive: boolean = true;
  isUp: boolean = false;
  /** When it was told to stop; it accepts no longer. */
  stoppingAt: number | undefined;
  /** Until then its event loop stands still: it hears and says nothing. */
  stillUntil: number = 0;
  /** Whether it was told to step aside. */
  rests: boolean = false;
  readonly #world: Surroundings;
  readonly #killAfterMs: number;
  #requests = 0;

  constructor(world: Surroundings, id: number, set: number, killAfterMs: number) {
    this.id = id;
    this.set = set;
    this.#world = world;
    this.#killAfterMs = killAfterMs;
  }

  /** Begins to load its code. */
  start(): void {
    const { random } = this.#world;
    const climate = this.#world.climate();
    if (random.chance(climate.diesStarting)) return this.#later(random.between(10, 3000), () => this.#die(random.pick([1, 2, 3, null])));
    if (random.chance(climate.hangsStarting)) return undefined;
    const bootMs = random.chance(climate.slowStart) ? random.between(1000, 70_000) : random.between(50, 1500);
    return this.#later(bootMs, () => this.#comeUp());
  }

  /** Whether it takes connections at this instant. */
  canAccept(now: number): boolean {
    return this.isAlive && this.isUp && this.stoppingAt === undefined && !this.rests && now >= this.stillUntil;
  }

  /** SIGKILL, which nobody can ignore. */
  kill(): void {
    this.#world.agenda.add(this.#world.now() + this.#world.random.between(0, 20), () => this.#end(null, "SIGKILL"));
  }

  /** The order to stop: it may be ignored, and it is not heard while the process stands still. */
  stop(): void {
    const { random } = this.#world;
    if (random.chance(this.#world.climate().ignoresStop)) return;
    this.#whenAwake(() => {
      this.stoppingAt ??= this.#world.now();
      // A worker keeps to its own limits, as a rule.
      const ms = random.chance(0.5) ? random.between(0, 100) : random.between(0, this.#killAfterMs * 0.9);
      this.#later(ms, () => this.#die(random.chance(0.9) ? 0 : 1));
    });
  }

  hurry(ends: "drain" | "cut"): void {
    const { random } = this.#world;
    if (random.chance(0.1)) return;
    this.#whenAwake(() => this.#later(random.between(0, ends === "cut" ? 300 : 3000), () => this.#die(ends === "cut" ? 1 : 0)));
  }

  #comeUp(): void {
    if (this.stoppingAt !== undefined) return;
    const { random } = this.#world;
    this.isUp = true;
    this.#say({ type: "acknowledged", id: this.id });
    // Some say it twice.
    if (random.chance(0.05)) this.#say({ type: "acknowledged", id: this.id });
    this.#report();
    const { lifeMs, leaves } = this.#world.climate();
    if (lifeMs === 0) return;
    const ms = -Math.log(1 - random.next()) * lifeMs;
    if (random.chance(leaves)) this.#later(ms, () => this.#leave());
    else this.#later(ms, () => this.#die(random.pick([0, 1, null])));
  }

  #leave(): void {
    if (this.stoppingAt !== undefined) return;
    this.stoppingAt = this.#world.now();
    this.#say({ type: "leaving", id: this.id, reason: "chance" });
    this.#later(this.#world.random.between(0, this.#killAfterMs * 1.2), () => this.#die(1));
  }

  #report(): void {
    const { random } = this.#world;
    const { standsStill, memory } = this.#world.climate();
    this.#requests += random.integer(0, 20);
    if (random.chance(standsStill)) this.stillUntil = this.#world.now() + random.between(500, 30_000);
    this.#whenAwake(() => {
      const figures = {
        activeRequests: random.integer(0, 5),
        requestsTotal: this.#requests,
        memoryBytes: Math.floor(1000 * memory * random.between(0.9, 1.1)),
        eventLoopUtilization: random.next(),
      };
      this.#say({ type: "heard", id: this.id, figures });
      this.#later(random.between(900, 1900), () => this.#report());
    });
  }

  #die(code: number | null): void {
    if (this.#world.now() < this.stillUntil) this.#whenAwake(() => this.#die(code));
    else this.#end(code, code === null ? "SIGSEGV" : null);
  }

  #end(code: number | null, signal: string | null): void {
    if (!this.isAlive) return;
    this.isAlive = false;
    this.isUp = false;
    this.#world.ended(this, code, signal);
  }

  #say(event: FleetEvent): void {
    this.#world.say(event);
  }

  #whenAwake(work: () => void): void {
    const now = this.#world.now();
    if (now >= this.stillUntil) work();
    else this.#later(this.stillUntil - now, work);
  }

  #later(ms: number, work: () => void): void {
    this.#world.agenda.add(this.#world.now() + ms, () => {
      if (this.isAlive) work();
    });
  }
}
