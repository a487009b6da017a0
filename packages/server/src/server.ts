import type { Listener } from "@tsserve/listener";
import type { Spec } from "@tsserve/config";
import type { Logger } from "pino";
import type { ActiveRequests } from "./active-requests.ts";
import type { Cause } from "./events.ts";
import type { Guard } from "./guard.ts";
import type { Meter } from "./meter.ts";
import type { Health } from "./health.ts";
import type { ServerState } from "./state.ts";
import type { Tracing } from "./tracing.ts";

/** A running server, as the lifecycle sees it. */
export interface Server {
  /** Resolves when connections are accepted; rejects when they can't be. */
  start(): Promise<void>;
  /** The stop signal came: keep serving, begin to move clients away. `cause` is what they may be told. */
  drain(cause?: Cause): void;
  /**
   * No new connections from now on. Resolves when nothing is in progress any more, or soon after the
   * deadline with the number of requests that were cut.
   */
  stop(deadline: AbortSignal): Promise<{ cut: number }>;
  stats(): { openConnections: number; activeRequests: number };
  /**
   * Accepts in one more place, while it serves, until the function is called that it gives; what has been accepted is served
   * on. With it, a worker stands in for one that has died, whose clients would wait for its successor.
   */
  accept?(listener: Listener): Promise<() => void>;
  /**
   * Steps aside for a while, as for a snapshot of its memory: accepts no more where it did, and ends connections as their
   * clients allow, without losing a request. Who is to be served afterwards comes by `accept`.
   */
  rest?(): Rest;
  /** Where the server really listens, known once it has started: `http://127.0.0.1:9090`. */
  addresses?(): readonly string[];
  /** Opens the files that it logs to anew: they have been renamed. */
  reopen?(): void;
  /** What the server answers to, for `tsserve routes`. */
  routes?(): Promise<readonly Route[]>;
  /** Resolves, or rejects with the reason, when the server ends without being asked to. */
  readonly ended?: Promise<void>;
}

/** A server that has stepped aside. */
export interface Rest {
  /** Resolves when nobody is left who could send a request. What is another protocol's by now, as WebSockets are, is left alone. */
  readonly left: Promise<void>;
  /** Connections are kept again. */
  end(): void;
}

/** One line of `tsserve routes`. */
export interface Route {
  readonly method: string;
  readonly path: string;
}

/** What is handed to a server factory besides its options, its listeners and its app. */
export interface ServerContext {
  readonly log: Logger;
  /** A logger of another name, such as `tsserve.access`, that `levels.NAME` of the INI file can turn down by itself. */
  logger(name: string): Logger;
  /** The folder of the INI file, from which paths of the section are resolved. */
  readonly folder: string;
  /** Random bytes that all workers of a master share, over upgrades too; `undefined` without a master of ours. Secret. */
  readonly fleetSecret?: Buffer | undefined;
  readonly state: ServerState;
  readonly health: Health;
  /** Where a server enters each request while it lasts; logs, stack dumps and metrics read it. */
  readonly requests: ActiveRequests;
  /** Where a server counts what it does; `undefined` when metrics are off. */
  readonly meter?: Meter | undefined;
  /** Where a server tells of its requests; `undefined` when nothing is traced. */
  readonly tracing?: Tracing | undefined;
  /** Calls what is the user's: what that throws is logged with its owner, and ends no more than the call. */
  readonly guard: Guard;
  /** Where a key of the server's section is written, for messages: `myapp.ini:3: [server:main] handler`. */
  placeOf(key: string): string;
  /** Loads `MODULE[:NAME]` as a factory is loaded: from the INI file's folder, with the same errors. */
  loadFunction(written: string, defaultName: string): Promise<(...args: never[]) => unknown>;
}

/** The options of a `[server:…]` section, by key. */
export type ServerConfig = Readonly<Record<string, string>>;

/** Builds a server. Binds nothing yet: that is what `Server.start` is for. */
export type ServerFactory<App = unknown> = (
  config: ServerConfig,
  listeners: readonly Listener[],
  app: App,
  context: ServerContext,
) => Server | Promise<Server>;

/** What a module with a server factory may export beside it. */
export interface ServerModuleExtras {
  /** The keys the factory knows, beside those that every server has. With it, unknown keys are errors, and the docs list the known ones. */
  readonly settings?: Spec;
  /** Checks what no single key shows, before anything runs. @throws {ConfigurationError} */
  readonly parseSettings?: (config: ServerConfig) => unknown;
  /** Called once, before the app's module is loaded: for what must be there before the app's framework is. */
  readonly prepare?: () => void;
  /** Whether a value is an app already: where `factory` names one, it is taken as it is rather than called. */
  readonly isApp?: (value: unknown) => boolean;
  /** What `context.fastifyOptions` gives to the app. */
  readonly fastifyOptions?: (config: ServerConfig, log: Logger) => object;
}
