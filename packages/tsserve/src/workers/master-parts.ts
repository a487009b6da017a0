import { isTsserveError, type Masker } from "@tsserve/config";
import { ControlSocket, type ControlCommands, type Master, type MasterEvent, type WorkerProcess } from "@tsserve/master";
import type { Logger } from "pino";
import type { Configuration } from "../configuration.ts";
import { differences, type Difference } from "../differences.ts";
import type { Host } from "../host.ts";
import { makeLogger } from "../make-logger.ts";
import { controlPlace, type ControlPlace } from "./control-place.ts";
import { logMasterEvents } from "./log-master-events.ts";
import { MetricsSocket } from "./metrics-socket.ts";
import { FleetPublisher } from "./publish-fleet.ts";

/** Workers of so many configurations back may still run, and know their secrets. */
const mostMaskers = 8;

/**
 * What a master has beside its workers, and what an upgrade may change of it: its log, its control socket, the exporter's
 * socket, what it tells the workers about the fleet.
 */
export class MasterParts {
  configuration: Configuration;
  log: Logger;
  readonly #host: Host;
  #maskers: readonly Masker[];
  #place: ControlPlace | undefined;
  #control: ControlSocket | undefined;
  #commands: ControlCommands | undefined;
  #metrics: MetricsSocket | undefined;
  readonly #publisher: FleetPublisher | undefined;

  private constructor(host: Host, configuration: Configuration, log: Logger) {
    this.#host = host;
    this.configuration = configuration;
    this.log = log;
    this.#maskers = [configuration.masker];
    this.#publisher = configuration.metrics.enabled ? new FleetPublisher(configuration.metrics.parent) : undefined;
  }

  static make(host: Host, configuration: Configuration): MasterParts {
    return new MasterParts(host, configuration, masterLog(host, configuration));
  }

  /** `undefined` where there is none. */
  get controlPath(): string | undefined {
    return this.#control?.path;
  }

  /** @throws {ListenError} when the control socket that the user named can't be had */
  async open(master: Master, commands: ControlCommands): Promise<void> {
    this.#commands = commands;
    const { master: settings, metrics } = this.configuration;
    try {
      await this.#openControl(settings.controlSocket);
    } catch (error) {
      if (settings.controlSocket !== undefined) throw error;
      this.log.warn({ err: error }, `there is no control socket, for control_socket names none: ${(error as Error).message}`);
    }
    if (metrics.enabled) await this.#openMetrics();
    this.#publisher?.start(master);
  }

  /** Goes by another configuration from now on, and logs every difference. What fails leaves what was there. */
  async change(next: Configuration): Promise<void> {
    const before = this.configuration;
    this.configuration = next;
    this.#maskers = [next.masker, ...this.#maskers].slice(0, mostMaskers);
    if (isOther(before.logging, next.logging)) this.log = masterLog(this.#host, next);
    if (before.master.controlSocket !== next.master.controlSocket) await this.#moveControl(next.master.controlSocket);
    if (isOther(exporterOf(before), exporterOf(next))) await this.#moveMetrics();
    for (const difference of differences(before, next)) this.#tellDifference(difference);
  }

  #tellDifference({ section, key, before, after, effect }: Difference): void {
    const what = `[${section}] ${key}: ${before ?? "not set"} → ${after ?? "not set"}`;
    const fields = { section, key, before, after, effect };
    if (effect === "restart") this.log.warn(fields, `${what}; a running master can't change it: it holds after a restart`);
    else this.log.info(fields, `${what}; ${effect === "now" ? "from now on, and for the new workers" : "for the new workers"}`);
  }

  /** Masks the secrets of this configuration, and of those before it. */
  mask(text: string): string {
    return this.#maskers.reduce((masked, masker) => masker.mask(masked), text);
  }

  tell(event: MasterEvent, words: string): void {
    logMasterEvents(this.log)(event, words);
    this.#publisher?.note(event, words);
  }

  /** The last hour of all workers; `undefined` where metrics are off. */
  async history(): Promise<object | undefined> {
    return await this.#publisher?.history();
  }

  /** A worker accepts connections. */
  welcome(process: WorkerProcess): void {
    this.#metrics?.give(process);
  }

  close(): void {
    this.#control?.close();
    this.#place?.remove();
    this.#metrics?.close();
    this.#publisher?.end();
  }

  async #openMetrics(): Promise<void> {
    this.#metrics = new MetricsSocket(this.configuration.metrics.endpoint, this.log);
    await this.#metrics.open();
  }

  /** Workers that run keep the socket that they have, and answer on it until they have gone. */
  async #moveMetrics(): Promise<void> {
    this.#metrics?.close();
    this.#metrics = undefined;
    if (this.configuration.metrics.enabled) await this.#openMetrics();
  }

  async #moveControl(named: string | undefined): Promise<void> {
    const [control, place] = [this.#control, this.#place];
    try {
      await this.#openControl(named);
    } catch (error) {
      if (!isTsserveError(error)) throw error;
      this.log.error({ err: error }, `the control socket stays at ${control?.path ?? "none"}: ${error.message}`);
      return;
    }
    control?.close();
    place?.remove();
    // One link by the pid: that of the new place.
    this.#place?.keep();
    this.log.info({ control_socket: this.controlPath }, `the control socket is at ${this.controlPath ?? "none"} from now on`);
  }

  async #openControl(named: string | undefined): Promise<void> {
    const commands = this.#commands;
    if (commands === undefined) return;
    const place = controlPlace(this.#host.env, this.#host.pid, named);
    this.#control = await ControlSocket.open({
      path: place.path,
      commands,
      keep: () => place.keep(),
      warn: (message) => this.log.warn(message),
    });
    this.#place = place;
  }
}

function masterLog(host: Host, { logging }: Configuration): Logger {
  return makeLogger(logging, host).child({ logger: "tsserve.master" });
}

const exporterOf = ({ metrics: { enabled, endpoint } }: Configuration): unknown => (enabled ? endpoint : undefined);

function isOther(before: unknown, after: unknown): boolean {
  return JSON.stringify(before) !== JSON.stringify(after);
}
