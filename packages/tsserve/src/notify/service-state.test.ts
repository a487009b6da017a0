import type { MasterEvent, Worker } from "@tsserve/master";
import { describe, expect, it } from "vitest";
import { FleetState, stateOfProcess, type FleetView } from "./service-state.ts";

const worker = { index: 0, generation: 1, pid: 7 } as Worker;
const up: MasterEvent = { type: "acknowledged", worker };
const begun: MasterEvent = { type: "upgrade-begun", generation: 2 };
const upgraded: MasterEvent = { type: "upgraded", generation: 2, ms: 10 };
const abandoned: MasterEvent = { type: "abandoned", generation: 2, worker, reason: "exited" };
const view = (parts: Partial<FleetView> = {}): FleetView => ({ generation: 1, target: 2, up: 2, isStopping: false, ...parts });

/** What is said first of each event, without the words for people. */
function said(events: readonly (readonly [MasterEvent, FleetView])[]): string[] {
  const state = new FleetState("0.0.0.0:9090", () => 123n);
  return events.flatMap(([event, seen]) => state.after(event, seen)?.filter((each) => !each.startsWith("STATUS=")) ?? []);
}

describe("what systemd is told of a fleet", () => {
  it("is that it is ready when the last of the first workers is up, once", () => {
    expect(
      said([
        [{ type: "spawned", worker }, view({ up: 0 })],
        [up, view({ up: 1 })],
        [up, view()],
        [up, view()],
      ]),
    ).toEqual(["READY=1"]);
  });

  it.each([
    ["succeeds", upgraded],
    ["is abandoned", abandoned],
  ])("is that it reloads while an upgrade lasts that %s", (_how, end) => {
    expect(
      said([
        [up, view()],
        [begun, view()],
        [up, view({ up: 3 })],
        [end, view({ generation: 2 })],
      ]),
    ).toEqual(["READY=1", "RELOADING=1", "MONOTONIC_USEC=123", "READY=1"]);
  });

  it("is that it is ready though an upgrade began before it was", () => {
    expect(
      said([
        [begun, view({ up: 1 })],
        [upgraded, view({ generation: 2 })],
      ]),
    ).toEqual(["READY=1"]);
  });

  it("is that it stops, and nothing after that, from whichever phase", () => {
    const stopping = view({ isStopping: true, up: 1 });
    const end: MasterEvent = { type: "stopping", worker };
    for (const before of [
      [],
      [[up, view()]],
      [
        [up, view()],
        [begun, view()],
      ],
    ] as const) {
      const all = said([...before, [end, stopping], [upgraded, stopping], [up, stopping]]);
      expect(all.slice(all.indexOf("STOPPING=1"))).toEqual(["STOPPING=1"]);
    }
  });

  it("says in words how many serve, where, and of an upgrade that was abandoned", () => {
    const state = new FleetState("0.0.0.0:9090", () => 0n);
    expect(state.after(up, view())).toContain("STATUS=2 workers of generation 1 on 0.0.0.0:9090");
    expect(state.after({ type: "resized", target: 1 }, view({ target: 1 }))).toEqual(["STATUS=1 worker of generation 1 on 0.0.0.0:9090"]);
    state.after(begun, view());
    expect(state.after(abandoned, view())?.at(-1)).toMatch(/generation 2 was abandoned$/);
  });
});

describe("what systemd is told of a process", () => {
  it.each([
    [
      { type: "running", addresses: ["http://127.0.0.1:1", "/run/a\nb.sock"], ms: 1 } as const,
      ["READY=1", "STATUS=serving on http://127.0.0.1:1, /run/a b.sock"],
    ],
    [{ type: "shutdown", cause: { kind: "signal", signal: "SIGTERM" }, drainTimeMs: 0 } as const, ["STOPPING=1", "STATUS=stopping"]],
    [
      { type: "shutdown", cause: { kind: "signal", signal: "SIGTERM" }, drainTimeMs: 5 } as const,
      ["STOPPING=1", "STATUS=draining, then stopping"],
    ],
    [{ type: "stopping", stopTimeoutMs: 1, requests: [] } as const, ["STATUS=stopping: 0 requests in progress"]],
    [{ type: "step-started", step: "the app", ms: 1 } as const, undefined],
    [{ type: "stopped", exitCode: 0, ms: 1 } as const, undefined],
  ])("%o is %o", (event, assignments) => {
    expect(stateOfProcess(event)).toEqual(assignments);
  });
});
