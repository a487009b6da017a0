import { readFileSync } from "node:fs";

/** A process, told apart from a later one that has the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** In the kernel's ticks since the boot (Linux); 0 where that can't be known. */
  readonly startedAt: number;
}

/** @returns `undefined` when there is no such process, or it is dead and nobody has waited for it */
export function identityOf(pid: number): ProcessIdentity | undefined {
  try {
    // "pid (name) state ppid …": the name may hold anything. The start is field 22 (proc_pid_stat(5)).
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)?.split(" ") ?? [];
    return fields[0] === "Z" || fields[0] === "X" ? undefined : { pid, startedAt: Number(fields[19] ?? 0) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return undefined;
  }
  // Not every jail has `/proc`: what can be sent a signal is there.
  try {
    process.kill(pid, 0);
    return { pid, startedAt: 0 };
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM" ? { pid, startedAt: 0 } : undefined;
  }
}

export function isAlive({ pid, startedAt }: ProcessIdentity): boolean {
  const now = identityOf(pid);
  return now !== undefined && now.startedAt === startedAt;
}
