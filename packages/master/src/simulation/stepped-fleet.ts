import { makeFleet, type Action, type Fleet, type FleetEvent, type FleetOptions } from "../fleet.ts";
import { step } from "../step.ts";

/** What no test of a step is about: nothing is reached, nobody is too silent. */
export const options: FleetOptions = {
  upgradeMode: "smooth",
  startTimeoutMs: 60_000,
  killAfterMs: 20_000,
  limits: { maxRequests: 1e9, maxRequestsJitter: 0, maxAgeMs: undefined, maxMemoryBytes: undefined },
  workerTimeoutMs: undefined,
};

/** A fleet with processes that behave as a test says. */
export class SteppedFleet {
  fleet: Fleet;
  now = 1000;
  #sets = 0;
  readonly actions: Action[] = [];

  constructor(target: number, overrides: Partial<FleetOptions> = {}) {
    this.fleet = makeFleet(target, { ...options, ...overrides });
    this.send({ type: "tick" });
  }

  /** Processes get the pid 100 + id, and the sockets of their slot. */
  send(event: FleetEvent): readonly Action[] {
    const { fleet, actions } = step(this.fleet, event, this.now);
    this.fleet = fleet;
    this.actions.push(...actions);
    for (const action of actions) {
      if (action.type !== "spawn") continue;
      const { id, slot } = action.worker;
      this.#sets = Math.max(this.#sets, slot + 1);
      this.send({ type: "sockets", sets: this.#sets });
      this.send({ type: "spawned", id, pid: 100 + id, set: slot, jitter: 0 });
    }
    return actions;
  }

  acknowledge(id: number): void {
    this.send({ type: "acknowledged", id });
  }

  exit(id: number): void {
    this.send({ type: "exited", id, code: 1, signal: null });
  }

  hear(id: number, memoryBytes = 0, requestsTotal = 0): void {
    this.send({ type: "heard", id, figures: { activeRequests: 0, requestsTotal, memoryBytes, eventLoopUtilization: 0 } });
  }

  hearAll(): void {
    for (const { id, state } of this.fleet.workers) if (state === "up") this.hear(id);
  }

  /** Time goes on in seconds, and each worker that is up reports. */
  live(ms: number): void {
    for (let passed = 0; passed < ms; passed += 1000) {
      this.now += 1000;
      this.hearAll();
    }
  }

  pass(ms: number): void {
    this.now += ms;
    this.send({ type: "tick" });
  }

  /** Every start is acknowledged, and every stop obeyed, until nothing changes. */
  run(): void {
    for (let before = ""; before !== this.print();) {
      before = this.print();
      for (const { id, state } of this.fleet.workers) {
        if (state === "starting") this.acknowledge(id);
        else if (state === "stopping") this.exit(id);
      }
    }
  }

  print(): string {
    return this.fleet.workers
      .map(({ id, index, generation, state, retires }) => `${id}:${index}:${generation}:${state}${retires ? ":retiring" : ""}`)
      .join(" ");
  }

  taken(): string[] {
    return this.actions.splice(0).flatMap((action) => {
      if (action.type === "spawn" || action.type === "stop" || action.type === "kill") return [`${action.type} ${action.worker.id}`];
      if (action.type === "ended") return ["ended"];
      if (action.type !== "tell") return [];
      const { event } = action;
      const isNews = ["upgraded", "never-served", "abandoned", "retiring", "blocked", "max-memory-too-low"].includes(event.type);
      return isNews ? ["worker" in event ? `${event.type} ${event.worker.id}` : event.type] : [];
    });
  }

  /** What was done of other kinds. */
  rest(): string[] {
    return this.actions.splice(0).flatMap((action) => {
      if (action.type === "lend" || action.type === "take-back") return [`${action.type} ${action.set} ${action.worker.id}`];
      if (action.type === "rest" || action.type === "return") return [`${action.type} ${action.worker.id}`];
      if (action.type === "hurry") return [`hurry ${action.ends} ${action.worker.id}`];
      if (action.type === "answer") return [`answer ${action.request} ${action.answer.type} ${action.answer.ok}`];
      return [];
    });
  }
}

/** One whose workers are all up; what was done for that is passed over. */
export function served(count: number, overrides: Partial<FleetOptions> = {}): SteppedFleet {
  const stepped = new SteppedFleet(count, overrides);
  stepped.run();
  stepped.taken();
  return stepped;
}
