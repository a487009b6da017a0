import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { until, type SpawnOptions, type TsserveProcess } from "@tsserve/testing";

const inNamespace = ["unshare", "--pid", "--fork", "--mount-proc"] as const;

/** Whether this machine lets us have a PID namespace: as root, and where a container does not forbid it. Said where it does not. */
export function mayBeProcessOne(): boolean {
  const { status, stderr, error } = spawnSync("/usr/bin/env", [...inNamespace, "true"], { encoding: "utf8" });
  if (status === 0) return true;
  console.log(`no PID namespace is to be had, so what is shown in one is skipped: ${error?.message ?? stderr.trim()}`);
  return false;
}

/** Has the command run as PID 1 of a PID namespace of its own, as in a container. */
export function asProcessOne(): Pick<SpawnOptions, "node" | "nodeArgs"> {
  const node = process.env["TSSERVE_TEST_NODE"] ?? process.execPath;
  return { node: "/usr/bin/env", nodeArgs: [...inNamespace, node] };
}

/**
 * The pid, out here, of what is PID 1 in there. It is the one child of `unshare`, which keeps SIGINT and SIGTERM from itself and ends as
 * its child does.
 */
export function processOneOf({ pid }: Pick<TsserveProcess, "pid">): Promise<number> {
  return until("PID 1", () => childrenOf(pid)[0]?.pid);
}

/** The children of a process, and the letter of their state: `Z` for one that has ended and that nobody has waited for. */
export function childrenOf(pid: number): { readonly pid: number; readonly state: string | undefined }[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return children.split(" ").flatMap((child) => {
    if (child === "") return [];
    const state = /^State:\s*(\w)/m.exec(readFileSync(`/proc/${child}/status`, "utf8"))?.[1];
    return [{ pid: Number(child), state }];
  });
}

/** Whether a process has a handler for a signal. */
export function catches(pid: number, signal: NodeJS.Signals): boolean {
  const mask = /^SigCgt:\s*([0-9a-f]+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "0";
  return ((BigInt(`0x${mask}`) >> BigInt(constants.signals[signal] - 1)) & 1n) === 1n;
}
