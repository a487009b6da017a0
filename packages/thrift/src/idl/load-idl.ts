import { IdlError } from "./idl-error.ts";
import type { Idl, Include, MissingInclude } from "./model.ts";
import { parseIdl } from "./parse-idl.ts";
import { resolveIdl } from "./resolve-idl.ts";
import type { Place } from "./syntax.ts";

/** How an include is found and read. */
export interface IdlSource {
  /** The full name of `path`, or the names that it may have, best first, as it is included from `from` (`undefined` for the first file). */
  locate(path: string, from: string | undefined): string | readonly string[];
  /** The text of a file; `undefined` when there is no such file. */
  read(file: string): string | undefined;
  /** One name for a file that has several, by way of links: what it defines is the same by whichever it is loaded. Default: its name. */
  identify?(file: string): string;
}

/** Files include files no deeper: what would overflow the stack is told instead. */
const deepestInclude = 100;

/**
 * Reads a .thrift file and everything that it includes, each file once. A file that is included and is not there is an
 * error only where a name of it is used, as for Apache's compiler.
 *
 * @throws {IdlError} with file, line and column
 */
export function loadIdl(path: string, source: IdlSource): Idl {
  return new Loading(source).first(path);
}

class Loading {
  readonly #source: IdlSource;
  readonly #loaded = new Map<string, Idl>();
  /** The files that are being loaded, each included by the one before it. */
  readonly #open: { readonly file: string; readonly identity: string }[] = [];

  constructor(source: IdlSource) {
    this.#source = source;
  }

  first(path: string): Idl {
    const [file = path] = [this.#source.locate(path, undefined)].flat();
    const place = { file, line: 1, column: 1 };
    const text = this.#read(file, place, "the file");
    if (text === undefined) throw new IdlError(place, "there is no such file");
    return this.#load(file, text);
  }

  #load(file: string, text: string): Idl {
    const identity = this.#identify(file);
    const syntax = parseIdl(text, file);
    this.#open.push({ file, identity });
    const includes: Include[] = [];
    const missing: MissingInclude[] = [];
    for (const { path, place } of syntax.includes) {
      const prefix = prefixOf(path);
      const found = this.#include(path, place, file);
      if (typeof found === "string") missing.push({ prefix, place, problem: found });
      else includes.push({ prefix, idl: found });
    }
    this.#open.pop();
    const idl = resolveIdl(syntax, { includes, missing }, identity);
    this.#loaded.set(identity, idl);
    return idl;
  }

  /** The file; or, where there is none, what to say of it to who uses its names. */
  #include(path: string, place: Place, from: string): Idl | string {
    const written = JSON.stringify(path);
    const candidates = [this.#source.locate(path, from)].flat();
    for (const file of candidates) {
      const identity = this.#identify(file);
      const known = this.#loaded.get(identity);
      if (known !== undefined) return known;
      if (this.#open.some((each) => each.identity === identity)) {
        const way = [...this.#open.map((each) => each.file), file].join(" → ");
        throw new IdlError(place, `${written} includes itself, by way of ${way}`);
      }
      const text = this.#read(file, place, written);
      if (text === undefined) continue;
      if (this.#open.length >= deepestInclude) throw new IdlError(place, `files include files deeper than ${deepestInclude}`);
      return this.#load(file, text);
    }
    return `${written} is not found (looked for ${candidates.map(printable).join(", ")})`;
  }

  #identify(file: string): string {
    return this.#source.identify?.(file) ?? file;
  }

  /** @param what names the file in the message */
  #read(file: string, place: Place, what: string): string | undefined {
    try {
      return this.#source.read(file);
    } catch (error) {
      throw new IdlError(place, `${what} can't be read: ${printable((error as Error).message)}`);
    }
  }
}

/** `shared` for `../common/shared.thrift`, and `shared.v1` for `shared.v1.thrift`: what its names are written with. */
function prefixOf(path: string): string {
  return (path.split("/").at(-1) ?? path).replace(/\.[^.]*$/, "");
}

/** What can't be printed, as JSON writes it. */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- these are what must not reach a terminal
  return text.replaceAll(/[\u0000-\u001f\u007f]/g, (character) => JSON.stringify(character).slice(1, -1));
}
