/** A factory, or another function that the INI file names, that can't be had or failed; the message is for its author. */
export class FactoryError extends Error {
  override readonly name = "FactoryError";

  constructor(message: string, cause?: unknown) {
    super(message, { cause });
  }
}

/** The stack of what the user's code threw, which begins with its message; anything else as text. */
export function stackOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return `a value that is no Error was thrown: ${String(thrown)}`;
  const stack = thrown.stack ?? `${thrown.name}: ${thrown.message}`;
  const cause = thrown.cause === undefined ? "" : `\n  caused by ${stackOf(thrown.cause)}`;
  // An error whose message was changed after it was made has a stack that does not tell.
  return `${stack.includes(thrown.message) ? stack : `${thrown.name}: ${thrown.message}\n${stack}`}${cause}`;
}
