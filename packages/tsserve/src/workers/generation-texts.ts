import type { ChildProcess } from "node:child_process";
import { closeSync, readFileSync } from "node:fs";
import type { Writable } from "node:stream";
import type { Host } from "../host.ts";
import type { FileTexts } from "../read-configuration.ts";
import { isOwnWorker } from "./own-worker.ts";

/** Set for the workers of our own master: the descriptor from which each reads what the configuration's files held. */
export const textsVariable = "TSSERVE_TEXTS_FD";

/**
 * What the configuration's files held when each generation of workers began. A worker that replaces another one of its generation
 * goes by that, whatever has become of the files since: one that is half edited, broken or gone keeps no worker that died from being
 * replaced, and what nobody has upgraded to is not begun with.
 */
export class GenerationTexts {
  #newest: FileTexts;
  readonly #begun = new Map<number, FileTexts>();

  constructor(first: FileTexts) {
    this.#newest = first;
  }

  /** The next generation begins with these. */
  renew(texts: FileTexts): void {
    this.#newest = texts;
  }

  /** @param serving the generation that serves: none before it starts workers any more */
  of(generation: number, serving: number): FileTexts {
    for (const old of this.#begun.keys()) if (old < serving) this.#begun.delete(old);
    const texts = this.#begun.get(generation) ?? this.#newest;
    this.#begun.set(generation, texts);
    return texts;
  }
}

/** Hands the texts to a worker that has been spawned with a pipe at this place of its `stdio`. */
export function giveTexts(child: ChildProcess, place: number, texts: FileTexts): void {
  // Where the process could not be started there are no streams at all, whatever the types say.
  const pipe = (child.stdio as readonly unknown[] | undefined)?.[place] as Writable | undefined;
  // The worker ended before it had read them.
  pipe?.on("error", () => undefined);
  pipe?.end(JSON.stringify(texts));
}

/**
 * Takes the texts that our own master hands over; `undefined` where none does: then the files are to be read. The pipe is closed, so
 * that nothing that the app starts can read there.
 */
export function takeTexts(host: Pick<Host, "env" | "ppid">): FileTexts | undefined {
  const { [textsVariable]: given } = host.env;
  delete host.env[textsVariable];
  if (given === undefined || !isOwnWorker(host)) return undefined;
  const fd = Number(given);
  try {
    return JSON.parse(readFileSync(fd, "utf8")) as FileTexts;
  } catch {
    // The master was killed while it wrote: this worker is about to end, too.
    return undefined;
  } finally {
    closeIfOpen(fd);
  }
}

function closeIfOpen(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // It was none.
  }
}
