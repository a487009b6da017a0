import { fstatSync } from "node:fs";
import { connect, Socket } from "node:net";
import { ConfigurationError, type Environment, type Problem } from "@tsserve/config";

/** The identity that a process needs to know whether it is a worker. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly ppid: number;
}

/** What a master told its worker, by the Einhorn contract (github.com/contribsys/einhorn, README). */
export interface EinhornWorker {
  readonly masterPid: number;
  /** Descriptors of the inherited listening sockets, in the master's order. */
  readonly descriptors: readonly number[];
  /** Where to acknowledge: a path, or where none is given a descriptor. */
  readonly acknowledgeTo: { readonly path: string } | { readonly fd: number } | undefined;
  /** The slot of this worker, where the master gives one. */
  readonly childIndex: number | undefined;
}

/**
 * What the master told this process, or `undefined` when it is no worker: `EINHORN_MASTER_PID` must
 * be the parent's pid, since a worker's own children inherit the variables too.
 *
 * @throws {ConfigurationError} when the variables of a worker make no sense
 */
export function readEinhornWorker(env: Environment, { ppid }: ProcessIdentity): EinhornWorker | undefined {
  if (env["EINHORN_MASTER_PID"] !== String(ppid)) return undefined;
  const problems: Problem[] = [];
  const count = readNumber(env, "EINHORN_FD_COUNT", problems) ?? 0;
  const descriptors = Array.from({ length: Math.min(count, 1024) }, (_, index) => {
    const name = `EINHORN_FD_${index}`;
    const fd = readNumber(env, name, problems);
    if (fd === undefined && env[name] === undefined) {
      problems.push({ key: name, message: `expected a descriptor, since EINHORN_FD_COUNT is ${count}`, value: undefined });
    }
    return fd ?? -1;
  });
  const childIndex = readNumber(env, "EINHORN_CHILD_INDEX", problems);
  if (problems.length > 0) throw new ConfigurationError(problems);
  return { masterPid: ppid, descriptors, acknowledgeTo: whereToAcknowledge(env), childIndex };
}

const acknowledgeTimeoutMs = 5000;

/**
 * Tells the master that this worker accepts connections. The master never answers; the promise
 * resolves when the line is written.
 *
 * @throws {Error} when the master's socket can't be reached
 */
export async function acknowledge(worker: EinhornWorker, { pid }: ProcessIdentity): Promise<void> {
  const target = worker.acknowledgeTo;
  if (target === undefined) return;
  // `pid` must be a number: Einhorn looks a text up in vain.
  const line = `${JSON.stringify({ command: "worker:ack", pid })}\n`;
  await new Promise<void>((resolve, reject) => {
    const socket = "path" in target ? connect(target.path) : new Socket({ fd: target.fd });
    const fail = (error: Error): void => reject(unreachable(target, error));
    socket.setTimeout(acknowledgeTimeoutMs, () => socket.destroy(new Error(`no connection within ${acknowledgeTimeoutMs} ms`)));
    socket.once("error", fail);
    socket.end(line, () => {
      socket.off("error", fail);
      socket.on("error", () => undefined);
      socket.destroy();
      resolve();
    });
  });
}

function unreachable(target: { path: string } | { fd: number }, error: Error): Error {
  const [name, value] = "path" in target ? ["EINHORN_SOCK_PATH", target.path] : ["EINHORN_SOCK_FD", target.fd];
  return new Error(`could not acknowledge to the master at ${name}=${value}: ${error.message}; the master has probably gone`, {
    cause: error,
  });
}

function whereToAcknowledge(env: Environment): EinhornWorker["acknowledgeTo"] {
  const path = env["EINHORN_SOCK_PATH"];
  if (path !== undefined && path !== "") return { path };
  const fd = Number(env["EINHORN_SOCK_FD"] ?? Number.NaN);
  // Einhorn's -g opens this socket close-on-exec: the number may by now belong to something else.
  return Number.isInteger(fd) && isSocket(fd) ? { fd } : undefined;
}

function isSocket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket();
  } catch {
    return false;
  }
}

function readNumber(env: Environment, name: string, problems: Problem[]): number | undefined {
  const text = env[name];
  if (text === undefined || text === "") return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  problems.push({ key: name, message: "expected a number in the environment variable", value: text });
  return undefined;
}
