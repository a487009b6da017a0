import { lstatSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync, symlinkSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Environment } from "@tsserve/config";
import { isSocketAlive } from "@tsserve/listener";
import { keepFolder } from "@tsserve/metrics/folder";

/** Where a process listens for commands, and how `tsserve ctl` finds it without being told. */
export interface ControlPlace {
  readonly path: string;
  /** Makes what has been removed meanwhile anew: the folder for temporary files, the one in it, the link by which it is found. */
  keep(): void;
  remove(): void;
}

/**
 * A folder of this user's own, where the control sockets of their processes are found: below `XDG_RUNTIME_DIR`, else in
 * the folder for temporary files. Somebody else may have made one of that name there, so it is used only if it is a
 * folder, theirs, and closed to others.
 *
 * @returns `undefined` where there is none
 */
function controlFolder(env: Environment, mayMake: boolean): string | undefined {
  const uid = process.getuid?.();
  if (uid === undefined) return undefined;
  const runtime = env["XDG_RUNTIME_DIR"];
  const parents = [...(runtime?.startsWith("/") === true ? [runtime] : []), tmpdir()];
  return parents.map((parent) => join(parent, `tsserve-${uid}`)).find((folder) => isOwn(folder, uid, mayMake));
}

function isOwn(folder: string, uid: number, mayMake: boolean): boolean {
  try {
    if (mayMake && lstatSync(folder, { throwIfNoEntry: false }) === undefined) mkdirSync(folder, { mode: 0o700 });
    const found = lstatSync(folder);
    return found.isDirectory() && found.uid === uid && (found.mode & 0o077) === 0;
  } catch {
    return false;
  }
}

/** The place that the user named, made known to `tsserve ctl` by a link; a place of our choice where none is named. */
export function controlPlace(env: Environment, pid: number, named: string | undefined): ControlPlace {
  const keepParent = keepFolder(tmpdir());
  const folder = controlFolder(env, true);
  void sweep(folder);
  const place = named === undefined ? ownPlace(folder, env, pid) : linkedPlace(named, env, pid);
  const keep = (): void => {
    try {
      keepParent();
    } catch {
      // Those above it have gone as well: it is tried again, and told by whoever finds no place.
    }
    place.keep();
  };
  return { ...place, keep };
}

function ownPlace(folder: string | undefined, env: Environment, pid: number): ControlPlace {
  if (folder === undefined) return privatePlace();
  return { path: join(folder, `${pid}.sock`), keep: () => void controlFolder(env, true), remove: () => undefined };
}

function linkedPlace(path: string, env: Environment, pid: number): ControlPlace {
  const link = (): string => join(controlFolder(env, true) ?? "", `${pid}.sock`);
  const keep = (): void => {
    try {
      if (link().startsWith("/") && lstatSync(link(), { throwIfNoEntry: false }) === undefined) symlinkSync(path, link());
    } catch {
      // It has to be named to `tsserve ctl` then.
    }
  };
  keep();
  return { path, keep, remove: () => removeFile(link()) };
}

/** A folder that nobody can have made before. */
function privatePlace(): ControlPlace {
  const folder = mkdtempSync(join(tmpdir(), "tsserve-"));
  const keep = (): void => {
    try {
      mkdirSync(folder, { mode: 0o700 });
    } catch {
      // It is there.
    }
  };
  const remove = (): void => {
    try {
      rmdirSync(folder);
    } catch {
      // Somebody put something in it.
    }
  };
  return { path: join(folder, "ctl.sock"), keep, remove };
}

/**
 * Removes what dead processes have left, in our own folder alone. A process of another container that shares the folder has no pid here:
 * it is known by its socket, which does not refuse.
 */
async function sweep(folder: string | undefined): Promise<void> {
  if (folder === undefined) return;
  const paths = namesIn(folder).filter((name) => !isAlive(Number.parseInt(name, 10)));
  await Promise.all(paths.map(async (name) => ((await isSocketAlive(join(folder, name))) ? undefined : removeFile(join(folder, name)))));
}

/** The control sockets of this user's processes that run, by their pids. */
export function controlSockets(env: Environment): { readonly pid: number; readonly path: string }[] {
  const folder = controlFolder(env, false);
  if (folder === undefined) return [];
  return namesIn(folder)
    .map((name) => ({ pid: Number.parseInt(name, 10), path: join(folder, name) }))
    .filter(({ pid }) => isAlive(pid));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => /^\d{1,10}\.sock$/.test(name));
  } catch {
    return [];
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It has gone already.
  }
}
