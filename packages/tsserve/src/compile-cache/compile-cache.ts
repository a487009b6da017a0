import { mkdirSync } from "node:fs";
import Module from "node:module";
import { dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import { CompiledModules } from "./compiled-modules.ts";
import { compileCacheFolder } from "./folder.ts";
import { readPackFile, writePackFile, writtenAtMs } from "./pack-file.ts";
import { readPack, writePack, type CompiledModule } from "./pack.ts";

/** What a start is told by: the same command in the same folder loads the same modules. */
export interface Start {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly pid: number;
  readonly uid: number | undefined;
  readonly execArgv: readonly string[];
  /** Of Node and of its machine: what one version compiled, another does not take. */
  readonly build: string;
}

/** What keeps what V8 compiles for the next start. */
export interface CompileCache {
  /**
   * Waits, and meanwhile compiles what an earlier start has loaded and this one will probably load, too: nothing of it runs. A module
   * in each turn of the event loop.
   */
  wait(what: Promise<unknown>): Promise<void>;
  /** The start is over, and there is time: what it compiled is written, where the next one gains from it. */
  save(): void;
}

const none: CompileCache = { wait: async (what) => void (await what), save: () => undefined };

/** What Node has of it from 22.8 on; later yet it can write before the exit, too, without which a `kill -9` leaves nothing. */
interface NodeCache {
  readonly enableCompileCache?: (folder: string) => unknown;
  readonly flushCompileCache?: () => void;
}

/**
 * Has this process load what an earlier one compiled: CommonJS modules, which most are, from one file of ours; ES modules, and what
 * else Node compiles, by Node itself where it can (from 22.8 on). Both lie in a folder of the user's own, or there is neither. Nothing
 * that goes wrong with it, such as a full disk, is told: it is only a gain.
 */
export function openCompileCache(start: Start): CompileCache {
  const { env } = start;
  if (env["NODE_DISABLE_COMPILE_CACHE"] === "1" || isObserved(start)) return none;
  const { enableCompileCache, flushCompileCache } = Module as unknown as NodeCache;
  // Of the user's own is Node's to open.
  if (enableCompileCache !== undefined && env["NODE_COMPILE_CACHE"] !== undefined) return none;
  const folder = compileCacheFolder(env, start.uid);
  if (folder === undefined) return none;
  const pack = openPack(join(folder, "packs", fingerprint(start)), start);
  if (enableCompileCache === undefined) return pack;
  enableCompileCache(join(folder, "node-compile-cache"));
  return {
    wait: pack.wait,
    save: () => {
      pack.save();
      flushCompileCache?.();
    },
  };
}

/** A debugger and a measurement of coverage count on Node's own ways. */
function isObserved({ env, execArgv }: Start): boolean {
  const options = [...execArgv, env["NODE_OPTIONS"] ?? ""];
  return env["NODE_V8_COVERAGE"] !== undefined || options.some((each) => /--inspect(?!-port|-publish)/.test(each));
}

const mostLeadingWords = 2;

/**
 * Its words up to the first option: `myapp.ini`, or `script myapp.ini`. Where two starts have the same one, each finds little of use in what
 * the other wrote, and nothing wrong: every module is compared with what was compiled.
 */
function fingerprint({ args, cwd, execArgv, env, build }: Start): string {
  const options = args.findIndex((each) => each.startsWith("-"));
  const words = args.slice(0, Math.min(options === -1 ? args.length : options, mostLeadingWords));
  const told = JSON.stringify([build, execArgv, env["NODE_OPTIONS"], cwd, words, import.meta.url]);
  return `${crc32(told).toString(16)}-${told.length}`;
}

function openPack(path: string, { uid, pid }: Start): CompileCache {
  const file = readPackFile(path, uid);
  const modules = new CompiledModules(file === undefined ? new Map() : readable(file.bytes));
  return {
    wait: async (what) => {
      const over = new AbortController();
      const end = (): void => over.abort();
      what.then(end, end);
      while (!over.signal.aborted && modules.compileAhead()) await turn();
      await what;
    },
    save: () => {
      modules.close();
      if (modules.hasNews) saveNews(modules, path, file?.writtenAtMs ?? 0, pid);
    },
  };
}

function readable(bytes: Buffer): ReadonlyMap<string, CompiledModule> {
  try {
    return readPack(bytes);
  } catch {
    return new Map();
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const modulesPerTurn = 8;

/** Some modules in each turn of the event loop, which has requests to serve meanwhile. */
function saveNews(modules: CompiledModules, path: string, readAtMs: number, pid: number): void {
  const taken: CompiledModule[] = [];
  const taking = modules.take();
  const takeSome = (): void => {
    // Another worker was first.
    if (writtenAtMs(path) !== readAtMs) return;
    for (let count = 0; count < modulesPerTurn; count++) {
      const next = taking.next();
      if (next.done === true) {
        write(path, taken, pid);
        return;
      }
      taken.push(next.value);
    }
    setImmediate(takeSome);
  };
  takeSome();
}

function write(path: string, taken: readonly CompiledModule[], pid: number): void {
  try {
    mkdirSync(dirname(path), { mode: 0o700, recursive: true });
    writePackFile(path, writePack(taken), pid);
  } catch {
    // The disk is full, or may not be written to: the next start takes as long as this one.
  }
}
