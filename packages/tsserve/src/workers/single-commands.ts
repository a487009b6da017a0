import { performance } from "node:perf_hooks";
import type { ControlCommands, Result, WorkerState } from "@tsserve/master";
import { residentMemory, SERVER_STATE, type ActiveRequests, type Server } from "@tsserve/server";
import type { Host } from "../host.ts";
import type { ReplDoor } from "../serve/repl-step.ts";
import type { Watchdog } from "../stacks/watchdog.ts";

const states: Readonly<Record<typeof SERVER_STATE.state, WorkerState>> = { STARTING: "starting", RUNNING: "up", SHUTTING_DOWN: "stopping" };

/** What `tsserve ctl` can do with a single process. */
export function singleCommands(
  { pid, causes }: Pick<Host, "pid" | "causes">,
  requests: ActiveRequests,
  { server, watchdog, door }: { readonly server: Pick<Server, "reopen">; readonly watchdog: Watchdog; readonly door: ReplDoor },
): ControlCommands {
  const began = performance.now();
  const refused: Result = { ok: false, error: "this is a single process: with --workers N there is a master, which can do that" };
  let hasStopped = false;
  return {
    status: () => ({
      pid,
      generation: 1,
      workers: [
        {
          index: 0,
          generation: 1,
          pid,
          state: states[SERVER_STATE.state],
          age_seconds: Math.round((performance.now() - began) / 1000),
          active_requests: requests.size,
          requests_total: requests.total,
          memory_bytes: residentMemory() || null,
          event_loop_utilization: Math.round(performance.eventLoopUtilization().utilization * 1000) / 1000,
        },
      ],
    }),
    greeting: () => `tsserve, a single process ${pid}`,
    target: () => 1,
    upgrade: () => Promise.resolve(refused),
    resize: () => Promise.resolve(refused),
    stop: (how) => {
      // An order, not a signal: it may be repeated, and hurries nothing unless it says so.
      if (!hasStopped) causes.add({ kind: "ordered", reason: "stop" });
      hasStopped = true;
      if (how === "cut") causes.add({ kind: "hurried", ends: "cut" });
      return Promise.resolve({ ok: true, message: "stopping" });
    },
    signal: (name) => {
      process.kill(pid, name);
      return Promise.resolve({ ok: true, message: `sent ${name}` });
    },
    reopen: () => {
      server.reopen?.();
      return Promise.resolve({ ok: true, message: "log files are opened anew" });
    },
    history: () => Promise.resolve(undefined),
    profile: async ({ worker, ...request }) => {
      if (worker !== undefined && worker !== 0) return { ok: false, error: `there is no worker ${worker}: this is a single process` };
      const answer = await watchdog.profile(request);
      if (answer.type === "tsserve:profile-failed") return { ok: false, error: answer.reason };
      return { ok: true, worker: 0, pid, path: answer.path, bytes: answer.bytes, message: `the process (pid ${pid})` };
    },
    repl: ({ worker, ...guest }, socket) => {
      if (worker !== undefined && worker !== 0) return `there is no worker ${worker}: this is a single process`;
      door(socket, guest);
      return undefined;
    },
    acknowledge: () => undefined,
  };
}
