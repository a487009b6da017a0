import { spawn, type ChildProcess } from "node:child_process";
import type { BoundSocket } from "@tsserve/listener";
import type { Worker } from "@tsserve/master";
import type { Host } from "../host.ts";
import { nodeArguments } from "../node-arguments.ts";
import { realPathOf } from "../real-path-of.ts";
import type { FileTexts } from "../read-configuration.ts";
import { giveTexts, textsVariable } from "./generation-texts.ts";
import { generationVariable, lineVariable, masterVariable, ownSocketsVariable } from "./own-worker.ts";

/** What all workers of a master are started with. */
export interface WorkerStart {
  readonly host: Host;
  /** That of the master, without what the environment file adds. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Gives the working folder. */
  readonly folder: () => string;
  /** Whether the sockets were bound by the master, and not given to it. */
  readonly hasOwnSockets: boolean;
  /** Where the control socket is, for workers that know Einhorn's contract alone. */
  readonly controlPath: () => string | undefined;
}

/** The sockets stand from descriptor 3 on, as Einhorn has them. */
const firstSocket = 3;

/**
 * Starts the process of a worker, by Einhorn's contract: the sockets first, and what is our own after them.
 *
 * @param texts what the configuration's files held when the worker's generation began
 */
export function spawnWorker(
  { index, generation }: Worker,
  sockets: readonly BoundSocket[],
  texts: FileTexts,
  start: WorkerStart,
): ChildProcess {
  const { host, environment, folder, hasOwnSockets, controlPath } = start;
  const descriptors = Object.fromEntries(sockets.map((_, position) => [`EINHORN_FD_${position}`, String(firstSocket + position)]));
  // After the channel to the master.
  const textsAt = firstSocket + sockets.length + 1;
  const child = spawn(
    process.execPath,
    [...nodeArguments(process.execArgv, environment["NODE_OPTIONS"]), process.argv[1] ?? "", ...host.args],
    {
      cwd: folder(),
      env: {
        ...environment,
        EINHORN_MASTER_PID: String(host.pid),
        EINHORN_SOCK_PATH: controlPath(),
        EINHORN_FD_COUNT: String(sockets.length),
        EINHORN_CHILD_INDEX: String(index),
        ...descriptors,
        [masterVariable]: String(host.pid),
        [generationVariable]: String(generation),
        [textsVariable]: String(textsAt),
        [lineVariable]: String(textsAt + 1),
        [ownSocketsVariable]: String(hasOwnSockets),
      },
      // The last one is the line to its watchdog thread.
      stdio: ["ignore", "inherit", "pipe", ...sockets.map(({ fd }) => fd), "ipc", "pipe", "pipe"],
      // A signal of the terminal is for the master, which passes it on.
      detached: true,
    },
  );
  giveTexts(child, textsAt, texts);
  return child;
}

/**
 * The working folder as the shell names it: a `current` link that has been moved since leads to the new code. Only if the
 * name led to the working folder at the start. Where that has gone, as an old release goes, the root: no process starts in a
 * folder that is not there, and paths that begin at the root still mean what they did.
 */
export function workingFolder({ env, cwd }: Host): () => string {
  const named = env["PWD"];
  const isNamed = named?.startsWith("/") === true && realPathOf(named) === realPathOf(cwd);
  const found = [...(isNamed ? [named] : []), cwd];
  return () => found.find((folder) => realPathOf(folder) !== undefined) ?? "/";
}
