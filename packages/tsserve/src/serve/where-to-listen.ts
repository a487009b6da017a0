import { ConfigurationError, descriptorOf, formatEndpoint } from "@tsserve/config";
import { boundListeners, inheritedListener, systemdDescriptors, type EinhornWorker, type Listener } from "@tsserve/listener";
import type { Cause } from "@tsserve/server";
import type { Logger } from "pino";
import type { Host } from "../host.ts";
import type { ListenSettings } from "../listen-settings.ts";
import type { MetricsSettings } from "../metrics/metrics-settings.ts";
import { isGivenOwnSockets, isOwnWorker } from "../workers/own-worker.ts";

/** Where connections arrive. Nothing is bound yet: listeners of our own bind when the server starts. */
export interface Listening {
  readonly listeners: readonly Listener[];
  /** The inherited socket that is the exporter's, where one is. */
  readonly exporter: Listener | undefined;
}

/** What the process was told of where to listen. */
export interface Told {
  readonly worker: EinhornWorker | undefined;
  readonly listen: ListenSettings;
  readonly metrics: MetricsSettings;
}

/**
 * Sockets that a master, or systemd's socket activation, passed; else those of `--bind` or of the file.
 *
 * @throws {ListenError} when a name can't be resolved, or a descriptor is no socket
 * @throws {ConfigurationError} when `metrics.listener` names no socket
 */
export async function whereToListen(host: Host, { worker, listen, metrics }: Told, log: Logger): Promise<Listening> {
  const passed = worker === undefined ? activated(host) : inheritedBy(worker, host);
  const exporter = isOwnWorker(host) ? undefined : exporterListener(passed, metrics);
  const listeners = passed.filter((listener) => listener !== exporter);
  if (listeners.length === 0) {
    if (listen.beatsFile) log.info({ bind: listen.endpoints.map(formatEndpoint) }, "--bind wins over where the file says to listen");
    return { listeners: await listenersFor(listen), exporter };
  }
  if (listen.from === "command line" && !isOwnWorker(host))
    log.warn(
      { bind: listen.endpoints.map(formatEndpoint) },
      `--bind is ignored: ${worker === undefined ? "systemd" : "the master"} passed its sockets`,
    );
  return { listeners, exporter };
}

async function listenersFor({ endpoints, choices }: ListenSettings): Promise<Listener[]> {
  const each = endpoints.map((endpoint): Promise<Listener[]> => {
    const descriptor = descriptorOf(endpoint);
    if (descriptor === undefined) return boundListeners(endpoint, choices);
    return Promise.resolve([inheritedListener(descriptor, formatEndpoint(endpoint))]);
  });
  return (await Promise.all(each)).flat();
}

/** By systemd's socket activation. */
function activated({ env, pid }: Host): Listener[] {
  return systemdDescriptors(env, pid).map((fd, index) => inheritedListener(fd, `LISTEN_FDS, socket ${index},`));
}

/** Sockets that our own master bound end with the fleet: at its stop, and when the master has gone. */
function inheritedBy(worker: EinhornWorker, host: Host): Listener[] {
  const areOwn = isGivenOwnSockets(host);
  const isLast = (): boolean => areOwn && host.causes.some(endsFleet);
  return worker.descriptors.map((fd, index) => inheritedListener(fd, `EINHORN_FD_${index}`, isLast));
}

function endsFleet(cause: Cause): boolean {
  return (cause.kind === "ordered" && cause.reason === "stop") || cause.kind === "orphaned";
}

function exporterListener(inherited: readonly Listener[], { enabled, listener }: MetricsSettings): Listener | undefined {
  if (!enabled || listener === undefined || inherited.length === 0) return undefined;
  const found = inherited[listener];
  if (found === undefined || inherited.length === 1) {
    const message = `expected the number of one of several inherited sockets, counted from 0; there are ${inherited.length}`;
    throw new ConfigurationError([{ key: "metrics.listener", message, value: String(listener) }]);
  }
  return found;
}
