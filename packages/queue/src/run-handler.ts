import { isThenable } from "@tsserve/server";
import type { ConsumerDefinition } from "./consumer-definition.ts";
import type { QueueRun } from "./queue-run.ts";

/** How a run may end. */
export interface RunEnds {
  handled(run: QueueRun): void;
  /** The parser threw: no retry would help. */
  unparseable(run: QueueRun, error: unknown): void;
  failed(run: QueueRun, error: unknown): void;
}

/** Parses a message and calls its handler. Nothing that they do is thrown here, and `ends` is told once of how it ended. */
export function runHandler(run: QueueRun, definition: ConsumerDefinition, ends: RunEnds): void {
  let body: unknown;
  let parsing: Promise<unknown> | undefined;
  try {
    body = definition.parse(run.unparsed());
    parsing = promiseOf(body);
  } catch (error) {
    ends.unparseable(run, error);
    return;
  }
  if (parsing === undefined) {
    handle(run, body, definition, ends);
    return;
  }
  parsing.then(
    (parsed) => handle(run, parsed, definition, ends),
    (error: unknown) => ends.unparseable(run, error),
  );
}

function handle(run: QueueRun, body: unknown, definition: ConsumerDefinition, ends: RunEnds): void {
  // It may have taken too long to parse.
  if (run.isOver) return;
  let handling: Promise<unknown> | undefined;
  try {
    handling = promiseOf(definition.handle(run.message(body), run));
  } catch (error) {
    ends.failed(run, error);
    return;
  }
  if (handling === undefined) {
    ends.handled(run);
    return;
  }
  handling.then(
    () => ends.handled(run),
    (error: unknown) => ends.failed(run, error),
  );
}

/** @returns `undefined` for what is no promise. @throws what a getter of it throws */
function promiseOf(value: unknown): Promise<unknown> | undefined {
  return isThenable(value) ? Promise.resolve(value) : undefined;
}
