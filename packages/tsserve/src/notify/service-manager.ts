import { spawn, type ChildProcess } from "node:child_process";
import { within } from "@tsserve/server";
import type { Logger } from "pino";
import type { Host } from "../host.ts";
import { isReloadChild } from "../reload/child.ts";
import type { Assignments } from "./service-state.ts";

/** Whether systemd is told: `auto` tells it where it asks for it by NOTIFY_SOCKET. */
export type NotifySetting = "auto" | "systemd" | "off";

/** How long the program that tells may take; it waits five seconds by itself for a manager that does not answer. */
const patienceMs = 10_000;
/** The message has left by then, even where the manager does not say that it has got it: the next may follow. */
const sentAfterMs = 250;
/** A program that gave up waiting for the answer has told its message. */
const unansweredAfterMs = 4000;
/** What may be spent on it at the end of the process. */
const lastMs = 1000;
/** Below this, a sign of life is a process too often. */
const leastWatchdogMs = 10_000;
/** Messages that wait while one is being told: status lines of a fleet in trouble must not pile up. */
const mostWaiting = 16;

export interface ServiceManager {
  /** Tells one message; in order, and never waits. */
  tell(assignments: Assignments | undefined): void;
  /** The process ends: waits a moment for what has not been sent. */
  end(): Promise<void>;
}

/**
 * The service manager that this process is to report to, as sd_notify(3) has it. Node has no datagrams over unix sockets, so that
 * `systemd-notify` tells them, which is there where systemd is. It stays until systemd has read the message: systemd finds the
 * service by the process that sent it (systemd-notify(1), `--no-block`). Other managers never say that they have read it.
 *
 * @returns `undefined` where nobody asks, or where the process is a worker: its master reports
 */
export function openServiceManager(host: Host, setting: NotifySetting, log: Logger): ServiceManager | undefined {
  const { env, pid, ppid } = host;
  if (setting === "off" || env["EINHORN_MASTER_PID"] === String(ppid) || isReloadChild(host)) return undefined;
  if ((env["NOTIFY_SOCKET"] ?? "") === "") {
    if (setting === "systemd") log.warn("notify = systemd, but NOTIFY_SOCKET is not set: was it started by systemd, with Type=notify?");
    return undefined;
  }
  const notifier = new Notifier(
    (assignments) => spawn("systemd-notify", [`--pid=${pid}`, ...assignments], { stdio: "ignore" }),
    (reason) => log.warn({ reason }, `systemd could not be told of the state: ${reason}`),
  );
  const everyMs = watchdogMs(env, pid);
  if (everyMs === undefined) return notifier;
  if (everyMs < leastWatchdogMs / 2)
    log.warn({ watchdog_ms: everyMs * 2 }, "WatchdogSec is below 10 seconds: each sign of life is a process");
  const timer = setInterval(() => notifier.tell(["WATCHDOG=1"]), everyMs);
  timer.unref();
  return {
    tell: (assignments) => notifier.tell(assignments),
    end: () => {
      clearInterval(timer);
      return notifier.end();
    },
  };
}

/** How often systemd wants a sign of life: half of what it waits. `undefined` where it wants none, or from another process. */
export function watchdogMs(env: Readonly<Record<string, string | undefined>>, pid: number): number | undefined {
  const us = Number(env["WATCHDOG_USEC"]);
  const whose = env["WATCHDOG_PID"];
  if (!Number.isFinite(us) || us <= 0 || (whose !== undefined && whose !== "" && whose !== String(pid))) return undefined;
  return Math.max(1, us / 2000);
}

/** Tells one message after the other. */
export class Notifier implements ServiceManager {
  readonly #start: (assignments: Assignments) => ChildProcess;
  readonly #warn: (reason: string) => void;
  #waiting: Assignments[] = [];
  #telling: Promise<void> | undefined;
  #isWarned = false;

  constructor(start: (assignments: Assignments) => ChildProcess, warn: (reason: string) => void) {
    this.#start = start;
    this.#warn = warn;
  }

  tell(assignments: Assignments | undefined): void {
    if (assignments === undefined) return;
    // What only describes gives way; a state is never left out.
    if (this.#waiting.length >= mostWaiting) this.#waiting = this.#waiting.filter((each) => each.some((part) => !isDescription(part)));
    this.#waiting.push(assignments);
    this.#telling ??= this.#tellAll();
  }

  end(): Promise<void> {
    return within(lastMs, this.#telling);
  }

  async #tellAll(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) await this.#tellOne(next);
    this.#telling = undefined;
  }

  /** Resolves when the message has been sent, as far as that can be known. */
  #tellOne(assignments: Assignments): Promise<void> {
    return new Promise((resolve) => {
      const begun = performance.now();
      let child: ChildProcess;
      try {
        child = this.#start(assignments);
      } catch (error) {
        // Not every failure is an event: out of memory is none, nor is that Node forbids it (--permission).
        this.#warnOnce((error as Error).message);
        resolve();
        return;
      }
      child.unref();
      const sent = setTimeout(resolve, sentAfterMs);
      const limit = setTimeout(() => child.kill("SIGKILL"), patienceMs);
      for (const timer of [sent, limit]) timer.unref();
      const end = (problem: string | undefined): void => {
        clearTimeout(sent);
        clearTimeout(limit);
        this.#warnOnce(problem);
        resolve();
      };
      child.once("error", (error: NodeJS.ErrnoException) =>
        end(error.code === "ENOENT" ? "the program systemd-notify is not installed" : error.message),
      );
      child.once("exit", (code, signal) => {
        const isUnanswered = performance.now() - begun > unansweredAfterMs;
        end(code === 0 || isUnanswered ? undefined : `systemd-notify ended with ${signal ?? code}`);
      });
    });
  }

  /** Once, until one succeeds. */
  #warnOnce(problem: string | undefined): void {
    if (problem !== undefined && !this.#isWarned) this.#warn(problem);
    this.#isWarned = problem !== undefined;
  }
}

function isDescription(assignment: string): boolean {
  return assignment.startsWith("STATUS=") || assignment.startsWith("WATCHDOG=");
}
