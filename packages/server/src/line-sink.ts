import type { Logger } from "pino";

/** Where the lines of a logger go, for whoever composes them. */
export interface LineSink {
  /** What every line says of its process, which no logger tells as its bindings. */
  readonly base: Readonly<Record<string, unknown>>;
  /** Another one where more secrets are known: what was clean before may not be any more. */
  readonly revision: number;
  /** A part of a line of JSON as it may be written: without secrets, control characters escaped. */
  clean(part: string): string;
  /** Whether `clean` might change a word, which has letters, digits and `._-` only: costs a small part of it. */
  mayMask(word: string): boolean;
  /**
   * Takes a line that is made of clean parts. It is written with others of the same turn of the event loop, before any that is logged
   * otherwise.
   *
   * @param line a whole line of JSON, as the logger would write it, with its line feed
   */
  writeClean(line: string): void;
}

// Children of a logger inherit from it, and so they have its sink.
const key: unique symbol = Symbol.for("tsserve.lineSink") as never;

/**
 * Lets lines of a logger be handed over as they are: their length is seen to, as that of all lines, but they pass no formatter,
 * serializer or redaction of the logger's.
 */
export function giveLineSink(log: Logger, sink: LineSink): void {
  Object.defineProperty(log, key, { value: sink });
}

/**
 * For lines that come with every request, for which composing them by a logger costs several times as much as writing them: five
 * microseconds of a request's twenty.
 *
 * @returns `undefined` where lines have to go through the logger
 */
export function lineSinkOf(log: Logger): LineSink | undefined {
  return (log as Logger & { readonly [key]?: LineSink })[key];
}
