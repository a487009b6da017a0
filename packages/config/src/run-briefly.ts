const timeoutMs = 5000;

/** What a program wrote that has ended. */
export interface Ran {
  /** `null` where a signal ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program while this process waits for it, for at most five seconds. `undefined` where it can't be run: there is no such program,
 * or Node forbids other processes (`--permission`).
 */
export function runBriefly(command: string, args: readonly string[]): Ran | undefined {
  // Loading this module costs every start some milliseconds, and few starts need it.
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  try {
    const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8", timeout: timeoutMs });
    // Where nothing was run they are `null`, or `undefined` since Node 24, whatever their type says.
    return typeof stdout === "string" ? { status, stdout, stderr } : undefined;
  } catch {
    return undefined;
  }
}
