import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

type Fs = Record<string, unknown>;
type AnyFunction = (...args: unknown[]) => unknown;

/** Of a function of `node:fs`, the argument that names the file that it writes; for `open` that depends on its flags. */
const written: Readonly<Record<string, 0 | 1>> = {
  writeFile: 0,
  writeFileSync: 0,
  appendFile: 0,
  appendFileSync: 0,
  createWriteStream: 0,
  open: 0,
  openSync: 0,
  truncate: 0,
  truncateSync: 0,
  unlink: 0,
  unlinkSync: 0,
  rm: 0,
  rmSync: 0,
  copyFile: 1,
  copyFileSync: 1,
  rename: 1,
  renameSync: 1,
};

/**
 * Tells of each file that this process writes with Node's own functions. For development only: it puts functions of its
 * own in their place, so that what an app writes is not taken for a change of its source.
 *
 * @param fs what `require("node:fs")` gives; names that were imported follow with `syncBuiltinESMExports`
 */
export function reportWrites(fs: Fs & { readonly promises: object }, onWrite: (path: string) => void): void {
  for (const target of [fs, fs.promises as Fs]) {
    for (const [name, index] of Object.entries(written)) {
      const original = target[name];
      if (typeof original !== "function") continue;
      const replacement = function (this: unknown, ...args: unknown[]): unknown {
        const path = isReading(name, args[1]) ? undefined : pathOf(args[index]);
        if (path !== undefined) onWrite(path);
        return (original as AnyFunction).apply(this, args);
      };
      target[name] = Object.assign(replacement, original);
    }
  }
  process.getBuiltinModule("node:module").syncBuiltinESMExports();
}

function isReading(name: string, flags: unknown): boolean {
  if (!name.startsWith("open")) return false;
  return typeof flags === "string" ? /^r(?!\+)/.test(flags) : typeof flags === "number" ? (flags & 3) === 0 : true;
}

function pathOf(value: unknown): string | undefined {
  if (typeof value === "string") return resolve(value);
  if (value instanceof URL && value.protocol === "file:") return fileURLToPath(value);
  return Buffer.isBuffer(value) ? resolve(value.toString()) : undefined;
}
