import { createHash, randomBytes } from "node:crypto";
import { chmodSync, chownSync, linkSync, lstatSync, renameSync, unlinkSync } from "node:fs";
import { connect } from "node:net";
import { basename, dirname, join, resolve as absolute } from "node:path";
import { withAbstractLock } from "./abstract-lock.ts";
import { ListenError, listenError } from "./listen-error.ts";
import { checkUnixPath } from "./unix-path.ts";

const probeTimeoutMs = 1000;
/** Another server's socket refuses between its bind and its listen: it is asked once more after this. */
const secondProbeMs = 100;
const mostTries = 20;

/** Who may connect to a unix socket; what is absent stays as the system makes it. */
export interface UnixSocketAccess {
  /** Permission bits of the file, such as `0o660`. */
  readonly mode?: number | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

/** How to listen; what is absent is as the package has it by default. */
export interface ListenChoices extends UnixSocketAccess {
  /** How many connections the kernel keeps waiting; it cuts this to its own limit. Default 1024. */
  readonly backlog?: number | undefined;
  /** Whether other processes may listen at the same port, too (`SO_REUSEPORT`). Node heeds it from 22.12 on. */
  readonly reusePort?: boolean | undefined;
}

/** A socket that listens at a name of its own, in the folder of the path that it is for. */
export interface PlacedSocket {
  /** Removes the file, if it is still this socket's. */
  remove(): void;
  /** Whether the file is there, and still this socket's. */
  isThere(): boolean;
}

const firstLetter = "a".charCodeAt(0);
const letters = 26;

/**
 * A free name in the folder of a path: a socket is bound to it, and moved to the path (`placeSocket`) only when it
 * listens, so that nobody ever meets a socket there that refuses. No longer than the path itself, which has a limit. Of letters
 * alone: Node takes what reads as a number, such as `96992947` or `12e3`, for a port (`isPipeName` in
 * github.com/nodejs/node/blob/main/lib/net.js).
 */
export function nameBeside(path: string): string {
  const length = Math.min(12, Math.max(1, basename(path).length));
  const name = Array.from(randomBytes(length), (byte) => String.fromCharCode(firstLetter + (byte % letters))).join("");
  return join(dirname(path), name);
}

/**
 * Gives a socket that listens at `temporary` its name. Of several processes that do so at once, one has it: a link is
 * never made over a file that is there, and a file that a dead process left is moved away, looked at again, and only
 * then removed; where there is such a lock, one process after the other does so.
 *
 * @throws {ListenError} when a live process listens at the path, or the file is something else
 */
export async function placeSocket(temporary: string, path: string, access: UnixSocketAccess = {}): Promise<PlacedSocket> {
  try {
    // Before it has its name: nobody connects who may not.
    if (access.mode !== undefined) chmodSync(temporary, access.mode);
    if (access.uid !== undefined || access.gid !== undefined) chownSync(temporary, access.uid ?? -1, access.gid ?? -1);
    const { ino, dev } = lstatSync(temporary);
    await withAbstractLock(`path:${createHash("sha256").update(absolute(path)).digest("hex")}`, async () => {
      for (let tries = 0; !link(temporary, path); tries++) {
        if (tries === mostTries) throw inUse(path);
        await clearStaleSocket(path);
      }
    });
    remove(temporary);
    const isThere = (): boolean => {
      try {
        const found = lookAt(path);
        return found?.ino === ino && found.dev === dev;
      } catch {
        // A folder that may not be looked into any more tells nothing: as a rule it is there, and it could not be made anew.
        return true;
      }
    };
    return { isThere, remove: () => (isThere() ? remove(path) : undefined) };
  } catch (error) {
    remove(temporary);
    throw listenError(error as Error, path);
  }
}

/**
 * Makes way for a new unix socket: removes the file that a dead process left behind.
 *
 * @throws {ListenError} when a live process listens there, the file is something else, or the path is too long
 */
export async function clearStaleSocket(path: string): Promise<void> {
  checkUnixPath(path);
  const found = lookAt(path);
  if (found === undefined) return;
  if (!found.isSocket()) throw new ListenError(`cannot listen on ${path}: the file exists and is not a socket`, "EEXIST");
  if (await isSocketAlive(path)) throw inUse(path);
  await new Promise((resolve) => setTimeout(resolve, secondProbeMs));
  if (await isSocketAlive(path)) throw inUse(path);
  const aside = nameBeside(path);
  if (!move(path, aside)) return;
  // In the meantime somebody else may have put theirs there.
  if (await isSocketAlive(aside)) {
    link(aside, path);
    remove(aside);
    throw inUse(path);
  }
  remove(aside);
}

function inUse(path: string): ListenError {
  return new ListenError(`cannot listen on ${path}: another process is listening there (EADDRINUSE)`, "EADDRINUSE");
}

/** @returns false when there is a file already */
function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    // Some file systems have no links; a rename would take the place of a file that is there.
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(code ?? "")) throw error;
    if (lookAt(to) !== undefined) return false;
    renameSync(from, to);
    return true;
  }
}

function move(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw listenError(error as Error, from);
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It has gone already.
  }
}

function lookAt(path: string): ReturnType<typeof lstatSync> {
  return lstatSync(path, { throwIfNoEntry: false });
}

/**
 * Whether a process may listen at the path of a unix socket, in whatever PID namespace. Nobody accepts on a dead socket: the kernel refuses.
 * Anything else, also silence, counts as alive.
 */
export function isSocketAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const answer = (alive: boolean): void => {
      socket.destroy();
      resolve(alive);
    };
    socket.setTimeout(probeTimeoutMs, () => answer(true));
    socket.once("connect", () => answer(true));
    socket.once("error", (error: NodeJS.ErrnoException) => answer(error.code !== "ECONNREFUSED" && error.code !== "ENOENT"));
  });
}
