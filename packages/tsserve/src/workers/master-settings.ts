import { resolve } from "node:path";
import { parseConfig } from "@tsserve/config";
import type { WorkerLimits } from "@tsserve/master";
import { commonSettings, workerCount } from "@tsserve/server";
import type { SliceSource } from "../configuration.ts";
import { parseArgument } from "../usage-error.ts";

/** The master's share of a configuration. */
export interface MasterSettings {
  /** How many workers are asked for, on the command line or in the file; `undefined`: one process that serves itself. */
  readonly workers: number | undefined;
  readonly upgradeMode: "smooth" | "fleet";
  readonly startTimeoutMs: number;
  /** An absolute path; `undefined`: one that the master chooses. */
  readonly controlSocket: string | undefined;
  /** Whether `tsserve ctl repl` may talk to the workers. */
  readonly controlRepl: boolean;
  /** An absolute path; `undefined`: the folder for temporary files. */
  readonly profileFolder: string | undefined;
  readonly limits: WorkerLimits;
  readonly workerTimeoutMs: number | undefined;
  /** Whether systemd is told of the state; of a process without workers, too. */
  readonly notify: "auto" | "systemd" | "off";
}

/** @throws {ConfigurationError} @throws {UsageError} for a wrong `--workers` */
export function masterSettings({
  server: { values: section },
  values,
  folder,
  cwd,
}: Pick<SliceSource, "server" | "values" | "folder" | "cwd">): MasterSettings {
  const parsed = parseConfig(section, commonSettings);
  return {
    workers: workersOption(values.workers) ?? parsed.workers,
    upgradeMode: parsed.upgrade,
    startTimeoutMs: parsed.start_timeout,
    controlSocket: values.socket === undefined ? fromFolder(folder, parsed.control_socket) : resolve(cwd, values.socket),
    controlRepl: parsed.control_repl,
    profileFolder: fromFolder(folder, parsed.profile_dir),
    limits: {
      maxRequests: parsed.max_requests,
      maxRequestsJitter: parsed.max_requests_jitter,
      maxAgeMs: parsed.max_age,
      maxMemoryBytes: parsed.max_memory,
    },
    workerTimeoutMs: parsed.worker_timeout,
    notify: parsed.notify,
  };
}

function fromFolder(folder: string, path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(folder, path);
}

function workersOption(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseArgument("--workers", text, workerCount);
}
