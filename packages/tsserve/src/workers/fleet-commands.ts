import type { ControlCommands, Master, Result } from "@tsserve/master";

/** What `tsserve ctl` can do with a fleet. */
export function fleetCommands(
  master: Master,
  pid: number,
  upgrade: () => Promise<Result>,
  history: () => Promise<object | undefined>,
): ControlCommands {
  return {
    history,
    status: () => ({ pid, generation: master.generation, workers: master.status() }),
    greeting: () => `tsserve, master ${pid} of ${master.target} workers`,
    target: () => master.target,
    upgrade,
    resize: (target) => master.resize(target),
    stop: (how) => master.stop(how),
    signal: (name) => {
      master.signal(name);
      return Promise.resolve({ ok: true, message: `sent ${name} to every worker` });
    },
    reopen: () => {
      master.reopen();
      return Promise.resolve({ ok: true, message: "every worker opens its log files anew" });
    },
    repl: (order, socket) => master.repl(order, socket),
    profile: (order) => master.profile(order),
    acknowledge: (acknowledged) => master.acknowledge(acknowledged),
  };
}
