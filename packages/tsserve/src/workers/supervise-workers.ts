import { spawn, type ChildProcess } from "node:child_process";
import { realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatEndpoint } from "@tsserve/config";
import { inheritedListener, SlotSockets, systemdDescriptors, type BoundSocket } from "@tsserve/listener";
import { Master, openControlSocket, type MasterEnd, type Worker } from "@tsserve/master";
import { exitCodes, signalExitCode } from "@tsserve/server";
import type { Host } from "../host.ts";
import { makeLogger } from "../make-logger.ts";
import { checkMetrics } from "../metrics/metrics-settings.ts";
import type { Configuration } from "../configuration.ts";
import { nodeArguments } from "../node-arguments.ts";
import { lendable } from "./lend-sockets.ts";
import { logMasterEvents } from "./log-master-events.ts";
import { MetricsSocket } from "./metrics-socket.ts";
import { masterVariable } from "./own-worker.ts";
import { FleetPublisher } from "./publish-fleet.ts";
import { spareCompilers } from "./spare-compilers.ts";

/** Beyond its drain and its stop timeout, a worker's hooks may take some time. */
const killMarginMs = 5000;

/**
 * Serves with worker processes: binds, keeps them alive, and replaces them when asked to.
 *
 * @param read reads the configuration anew, for an upgrade
 */
export async function superviseWorkers(
  host: Host,
  configuration: Configuration,
  count: number,
  read: () => Promise<Configuration>,
): Promise<number> {
  spareCompilers();
  // The environment file is read anew by each worker: what it says now is not for them.
  const environment = { ...host.env };
  // That is for the workers to have.
  await checkMetrics({ ...configuration.metrics, statsd: undefined });
  const log = makeLogger(configuration.logging, host).child({ logger: "tsserve.master" });
  const { endpoints, from } = configuration.listen;
  const activated = activatedSockets(host);
  if (activated.length > 0 && from === "command line")
    log.warn({ bind: endpoints.map(formatEndpoint) }, "--bind is ignored: systemd passed its sockets");
  const sockets = activated.length > 0 ? SlotSockets.shared(activated) : await SlotSockets.bind(endpoints, count);
  const path = configuration.master.controlSocket ?? join(tmpdir(), `tsserve-${host.pid}.sock`);
  const logEvent = logMasterEvents(log);
  const metrics = configuration.metrics.enabled ? new MetricsSocket(configuration.metrics.endpoint, log) : undefined;
  const publisher = metrics && new FleetPublisher(configuration.metrics.parent);
  const master = new Master({
    workers: count,
    upgradeMode: configuration.master.upgradeMode,
    startTimeoutMs: configuration.master.startTimeoutMs,
    limits: configuration.master.limits,
    workerTimeoutMs: configuration.master.workerTimeoutMs,
    killAfterMs: configuration.lifecycle.drainTimeMs + configuration.lifecycle.stopTimeoutMs + killMarginMs,
    spawn: (worker) => spawnWorker(worker, host, environment, sockets.of(sockets.setOf(worker.slot)), path),
    sockets: lendable(sockets),
    writeError: (text) => process.stderr.write(text),
    now: () => performance.now(),
    onUp: (child) => metrics?.give(child),
    emit: (event) => {
      logEvent(event);
      publisher?.note(event);
    },
  });
  let current = configuration;
  const upgrade = async (): ReturnType<Master["upgrade"]> => {
    let next: Configuration;
    try {
      next = await read();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.error({ reason }, "the upgrade was abandoned, since the configuration is wrong; the old workers serve on");
      return { ok: false, reason };
    }
    const wanted = next.master.workers;
    if (wanted !== undefined && wanted !== current.master.workers) master.resize(wanted);
    current = next;
    return master.upgrade();
  };
  const addresses = sockets.endpoints.map(formatEndpoint);
  try {
    const control = await openControlSocket(path, master, { stop: () => host.causes.add({ kind: "signal", signal: "SIGTERM" }), upgrade });
    log.info(
      { control_socket: path, workers: count, addresses },
      `master of ${count} workers on ${addresses.join(", ")}; tsserve ctl --socket ${path}`,
    );
    await metrics?.open();
    publisher?.start(master);
    followSignals(host, master, upgrade);
    master.start();
    const code = exitCodeOf(await master.ended);
    control.close();
    log.info({ exit_code: code }, "stopped");
    return code;
  } finally {
    sockets.close();
    metrics?.close();
    publisher?.end();
  }
}

/** Sockets of systemd's socket activation listen already, and are not ours to remove. */
function activatedSockets({ env, pid }: Host): BoundSocket[] {
  return systemdDescriptors(env, pid).map((fd, index) => {
    const { endpoint } = inheritedListener(fd, `LISTEN_FDS, socket ${index},`);
    return { fd, handle: undefined, endpoint, close: () => undefined };
  });
}

function spawnWorker(
  { index }: Worker,
  host: Host,
  environment: Readonly<Record<string, string | undefined>>,
  sockets: readonly BoundSocket[],
  path: string,
): ChildProcess {
  const descriptors = Object.fromEntries(sockets.map((_, slot) => [`EINHORN_FD_${slot}`, String(3 + slot)]));
  return spawn(process.execPath, [...nodeArguments(process.execArgv, environment["NODE_OPTIONS"]), process.argv[1] ?? "", ...host.args], {
    cwd: workingFolder(host),
    env: {
      ...environment,
      EINHORN_MASTER_PID: String(host.pid),
      EINHORN_SOCK_PATH: path,
      EINHORN_FD_COUNT: String(sockets.length),
      EINHORN_CHILD_INDEX: String(index),
      ...descriptors,
      [masterVariable]: String(host.pid),
    },
    stdio: ["ignore", "inherit", "pipe", ...sockets.map(({ fd }) => fd), "ipc"],
    // A signal of the terminal is for the master, which passes it on.
    detached: true,
  });
}

/** As the shell names it: a `current` link that has been moved since leads to the new code. */
function workingFolder({ env, cwd }: Host): string {
  const named = env["PWD"];
  try {
    return named !== undefined && named.startsWith("/") && realpathSync(named) !== "" && isSameStart(named, cwd) ? named : cwd;
  } catch {
    return cwd;
  }
}

const namedAtStart = new Map<string, boolean>();

/** Whether the name led to the working folder when it was first asked for, which is at the start. */
function isSameStart(named: string, cwd: string): boolean {
  let isSame = namedAtStart.get(named);
  if (isSame === undefined) {
    isSame = realpathSync(named) === realpathSync(cwd);
    namedAtStart.set(named, isSame);
  }
  return isSame;
}

/** SIGHUP upgrades, SIGTTIN and SIGTTOU resize, SIGUSR1 is passed on; the rest stops: once more ends the drain, a third time kills. */
function followSignals(host: Host, master: Master, upgrade: () => ReturnType<Master["upgrade"]>): void {
  let stops = 0;
  const onCause = (cause: Awaited<Host["causes"]["first"]>): void => {
    if (cause.kind === "signal" && cause.signal === "SIGHUP") {
      void upgrade();
      return;
    }
    stops += 1;
    if (stops === 1) master.stop();
    else if (stops === 2) master.signal("SIGTERM");
    else {
      master.signal("SIGKILL");
      host.exit(cause.kind === "signal" ? signalExitCode(cause.signal) : exitCodes.lost);
    }
  };
  void host.causes.first.then(onCause);
  host.causes.onLater(onCause);
  host.onSignal("SIGUSR1", () => master.signal("SIGUSR1"));
  host.onSignal("SIGTTIN", () => master.resize(master.target + 1));
  host.onSignal("SIGTTOU", () => master.resize(master.target - 1));
}

function exitCodeOf({ hasServed, exitCodes: codes }: MasterEnd): number {
  if (hasServed) return codes.every((code) => code === 0) ? exitCodes.stopped : exitCodes.lost;
  return codes.length > 0 && codes.every((code) => code === exitCodes.misconfigured) ? exitCodes.misconfigured : exitCodes.neverServed;
}
