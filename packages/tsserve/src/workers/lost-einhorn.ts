import { readFileSync } from "node:fs";
import type { Logger } from "pino";
import type { Host } from "../host.ts";
import { masterVariable } from "./own-worker.ts";

const mostAncestors = 16;

/**
 * Under Einhorn by way of `npx`, or of a shell, this process is Einhorn's grandchild: it has inherited the variables, is no
 * worker, and nothing acknowledges, so that Einhorn never lets it serve. That is said, with what stands in between.
 */
export function warnOfLostEinhorn({ env, ppid }: Pick<Host, "env" | "ppid">, log: Pick<Logger, "warn">): void {
  const master = env["EINHORN_MASTER_PID"];
  if (master === undefined || master === String(ppid) || env[masterVariable] !== undefined) return;
  const between = ancestorsUntil(Number(master), ppid);
  if (between === undefined) return;
  const names = between.map(({ pid, name }) => `${name} (pid ${pid})`).join(", ");
  log.warn(
    { einhorn_master_pid: Number(master), between },
    `Einhorn (pid ${master}) has not started this process itself: between them is ${names}. So this is no worker of Einhorn's: it binds ` +
      "by itself, and does not acknowledge. Have Einhorn start node_modules/.bin/tsserve, or write exec before it in a shell's script.",
  );
}

/** The processes from the parent up to that one; `undefined` when it is no ancestor, or the system does not tell. */
function ancestorsUntil(pid: number, parent: number): { readonly pid: number; readonly name: string }[] | undefined {
  const found: { pid: number; name: string }[] = [];
  for (let current = parent; found.length < mostAncestors && current > 1;) {
    if (current === pid) return found;
    const [name, above] = readProcess(current);
    if (above === undefined) return undefined;
    found.push({ pid: current, name });
    current = above;
  }
  return undefined;
}

/** A process's name and its parent's pid (proc_pid_stat(5)); the name may hold anything, also brackets. */
function readProcess(pid: number): [name: string, parent: number | undefined] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const end = text.lastIndexOf(")");
    return [text.slice(text.indexOf("(") + 1, end), Number(text.slice(end + 2).split(" ")[1])];
  } catch {
    return ["", undefined];
  }
}
