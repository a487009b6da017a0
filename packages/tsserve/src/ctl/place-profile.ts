import { createReadStream, createWriteStream, existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { copyFile, chmod, writeFile } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { ProfileKind } from "@tsserve/master";
import { constants } from "node:fs";
import { UsageError } from "../usage-error.ts";
import { cpuTree, heapTree, type FlameTree } from "../profiles/flame-tree.ts";
import type { CpuProfile, HeapProfile } from "../profiles/v8-profiles.ts";

/** `raw`: as V8 gives it. */
export type Format = "raw" | "pprof" | "html";

/** Where the file is to be. */
export type Target = "stdout" | { readonly file: string } | { readonly folder: string };

const endings: Readonly<Record<Exclude<Format, "raw">, string>> = { pprof: ".pb.gz", html: ".html" };

/**
 * Sees to it, before a profile is taken in vain, that it can be put there.
 *
 * @param written as on the command line; `-` is stdout
 * @throws {UsageError}
 */
export function checkTarget(path: string, written: string): Target {
  if (written === "-" || path === "/dev/stdout") return "stdout";
  if (!existsSync(path)) {
    if (!existsSync(dirname(path))) throw new UsageError(`-o ${written}: there is no folder ${dirname(path)}`);
    return { file: path };
  }
  if (statSync(path).isDirectory()) return { folder: path };
  throw new UsageError(`-o ${written}: exists already, and is not overwritten`);
}

export interface Placement {
  /** Where the worker has written it. */
  readonly path: string;
  readonly kind: ProfileKind;
  readonly format: Format;
  readonly target: Target | undefined;
  /** Who was profiled, for the page. */
  readonly who: string;
  readonly seconds: number;
  readonly endedAt: number;
}

/** Puts a profile where it is to be, in the format that it is to have; nothing that is there is overwritten. Gives its path. */
export async function placeProfile(placement: Placement): Promise<string> {
  const { path, format, target } = placement;
  const name = format === "raw" ? basename(path) : `${basename(path, extname(path))}${endings[format]}`;
  if (format === "raw" && target === undefined) return path;
  if (format === "raw" && target === "stdout") await pipeline(createReadStream(path), createWriteStream("/dev/stdout", { flags: "w" }));
  const file =
    target === undefined
      ? join(dirname(path), name)
      : target === "stdout"
        ? "/dev/stdout"
        : "file" in target
          ? target.file
          : join(target.folder, name);
  if (format === "raw") {
    if (target !== "stdout") {
      await copyFile(path, file, constants.COPYFILE_EXCL);
      await chmod(file, 0o600);
    }
  } else {
    await writeFile(file, await converted(placement), target === "stdout" ? {} : { flag: "wx", mode: 0o600 });
  }
  rmSync(path, { force: true });
  return file;
}

/** What converts is loaded only here. */
async function converted({ path, kind, format, who, seconds, endedAt }: Placement): Promise<string | Buffer> {
  const tree = treeOf(kind, readFileSync(path, "utf8"));
  if (format === "pprof") {
    const { pprofOf } = await import("../profiles/pprof.ts");
    return pprofOf(tree, { endedAt, ms: seconds * 1000 });
  }
  const { flamePage } = await import("../profiles/flame-page.ts");
  const what = kind === "cpu" ? "CPU profile" : "Heap profile";
  return flamePage(tree, { title: `${what} of ${who}`, subtitle: `${new Date(endedAt).toISOString()}, ${seconds} s` });
}

function treeOf(kind: ProfileKind, text: string): FlameTree {
  return kind === "cpu" ? cpuTree(JSON.parse(text) as CpuProfile) : heapTree(JSON.parse(text) as HeapProfile);
}
