import { descriptorOf, formatEndpoint, isTsserveError } from "@tsserve/config";
import { handleOfInherited, inheritedListener, SlotSockets, systemdDescriptors, type BoundSocket } from "@tsserve/listener";
import { Master, type FleetOptions, type MasterEnd, type Result } from "@tsserve/master";
import { exitCodes } from "@tsserve/server";
import type { Configuration } from "../configuration.ts";
import type { Host } from "../host.ts";
import { checkMetrics } from "../metrics/metrics-settings.ts";
import type { FileTexts } from "../read-configuration.ts";
import { ownPermission, refuseWithoutProcesses } from "../refuse-without-processes.ts";
import { openServiceManager } from "../notify/service-manager.ts";
import { FleetState, type FleetView } from "../notify/service-state.ts";
import { bindPatiently } from "./bind-patiently.ts";
import { fleetSecretVariable, makeFleetSecret } from "./fleet-secret.ts";
import { fleetCommands } from "./fleet-commands.ts";
import { followSignals } from "./follow-signals.ts";
import { GenerationTexts } from "./generation-texts.ts";
import { forwardStderr } from "./forward-stderr.ts";
import { lendable } from "./lend-sockets.ts";
import { identity } from "./log-master-events.ts";
import { MasterParts } from "./master-parts.ts";
import { spareCompilers } from "./spare-compilers.ts";
import { spawnWorker, workingFolder } from "./spawn-worker.ts";

/** Beyond its drain and its stop timeout, a worker's hooks may take some time. */
const killMarginMs = 5000;

/** A configuration, and what the files held that it was made from. */
export interface Reading {
  readonly texts: FileTexts;
  readonly configuration: Configuration;
}

/**
 * Serves with worker processes: binds, keeps them alive, and replaces them when asked to.
 *
 * @param read reads the configuration anew, for an upgrade, from a working folder
 */
export async function superviseWorkers(
  host: Host,
  { texts, configuration }: Reading,
  count: number,
  read: (cwd: string) => Promise<Reading>,
): Promise<number> {
  refuseWithoutProcesses("--workers", ownPermission());
  spareCompilers();
  // That is for the workers to have.
  await checkMetrics({ ...configuration.metrics, statsd: undefined }, configuration.folder);
  const parts = MasterParts.make(host, configuration);
  const sockets = await socketsOf(host, configuration, count, parts);
  const environment = { ...host.env, [fleetSecretVariable]: makeFleetSecret() };
  const generations = new GenerationTexts(texts);
  const start = {
    host,
    environment,
    folder: workingFolder(host),
    hasOwnSockets: sockets.areOwn,
    controlPath: () => parts.controlPath,
  };
  const service = openServiceManager(host, configuration.master.notify, parts.log);
  const state = new FleetState(sockets.endpoints.map(formatEndpoint).join(", "), () => process.hrtime.bigint() / 1000n);
  const master: Master = new Master({
    workers: count,
    fleet: fleetOptions(configuration),
    spawn: (worker) =>
      spawnWorker(worker, sockets.of(sockets.setOf(worker.slot)), generations.of(worker.generation, master.generation), start),
    sockets: lendable(sockets),
    writeError: forwardStderr(host.stderr),
    mask: (text) => parts.mask(text),
    now: () => performance.now(),
    random: () => Math.random(),
    onUp: (worker) => parts.welcome(worker),
    emit: (event, words) => {
      parts.tell(event, words);
      if (master.isStopping) sockets.release();
      service?.tell(state.after(event, viewOf(master)));
    },
    warn: (message, worker, err) => parts.log.warn({ err }, worker === undefined ? message : `${identity(worker)}: ${message}`),
  });
  const upgrade = async (): Promise<Result> => {
    try {
      const { texts: changed, configuration: next } = await read(start.folder());
      const wanted = next.master.workers;
      if (wanted !== undefined && wanted !== parts.configuration.master.workers) void master.resize(wanted);
      master.configure(fleetOptions(next));
      await parts.change(next);
      generations.renew(changed);
    } catch (error) {
      if (!isTsserveError(error)) throw error;
      const reason = parts.mask(error.message);
      parts.log.error({ reason }, "the upgrade was abandoned, since the configuration is wrong; the old workers serve on");
      return { ok: false, error: reason };
    }
    return master.upgrade();
  };
  try {
    await parts.open(
      master,
      fleetCommands(master, host.pid, upgrade, () => parts.history()),
    );
    const addresses = sockets.endpoints.map(formatEndpoint);
    parts.log.info(
      { control_socket: parts.controlPath, workers: count, addresses },
      `master of ${count} workers on ${addresses.join(", ")}${parts.controlPath === undefined ? "" : `; tsserve ctl --socket ${parts.controlPath}`}`,
    );
    followSignals(host, master, upgrade, () => parts.log);
    master.start();
    const code = exitCodeOf(await master.ended);
    parts.log.info({ exit_code: code }, "stopped");
    return code;
  } finally {
    await service?.end();
    sockets.close();
    parts.close();
  }
}

function viewOf(master: Master): FleetView {
  const { generation, target, isStopping } = master;
  return { generation, target, isStopping, up: master.status().filter(({ state }) => state === "up").length };
}

/** What the model goes by, of what the file says. */
function fleetOptions({ master, lifecycle }: Configuration): FleetOptions {
  return {
    upgradeMode: master.upgradeMode,
    startTimeoutMs: master.startTimeoutMs,
    killAfterMs: lifecycle.drainTimeMs + lifecycle.stopTimeoutMs + killMarginMs,
    limits: master.limits,
    workerTimeoutMs: master.workerTimeoutMs,
  };
}

async function socketsOf(host: Host, { listen }: Configuration, count: number, { log }: MasterParts): Promise<SlotSockets> {
  const activated = activatedSockets(host);
  if (activated.length === 0) {
    if (listen.beatsFile) log.info({ bind: listen.endpoints.map(formatEndpoint) }, "--bind wins over where the file says to listen");
    const named = listen.endpoints.map(descriptorOf).filter((fd) => fd !== undefined);
    if (named.length === 0) return bindPatiently(listen, count);
    return SlotSockets.shared(named.map((fd) => inheritedSocket(fd, `fd://${fd}`)));
  }
  if (listen.from === "command line")
    log.warn({ bind: listen.endpoints.map(formatEndpoint) }, "--bind is ignored: systemd passed its sockets");
  return SlotSockets.shared(activated);
}

/** Sockets of systemd's socket activation listen already, and are not ours to remove. */
function activatedSockets({ env, pid }: Host): BoundSocket[] {
  return systemdDescriptors(env, pid).map((fd, index) => inheritedSocket(fd, `LISTEN_FDS, socket ${index},`));
}

/** @param source where its number was found, for messages */
function inheritedSocket(fd: number, source: string): BoundSocket {
  const { endpoint } = inheritedListener(fd, source);
  let handle: unknown;
  return {
    fd,
    get handle() {
      handle ??= handleOfInherited(fd);
      return handle;
    },
    endpoint,
    release: () => undefined,
    close: () => undefined,
  };
}

/** Asked to stop: 0, unless a worker lost something. Where none came up: their own code, if the configuration is wrong. */
function exitCodeOf({ reason, exitCodes: codes }: MasterEnd): number {
  if (reason === "asked") return codes.every((code) => code === exitCodes.stopped) ? exitCodes.stopped : exitCodes.lost;
  return codes.length > 0 && codes.every((code) => code === exitCodes.misconfigured) ? exitCodes.misconfigured : exitCodes.neverServed;
}
