/** The model did what it must not; the message says what, and when. */
export class Violation extends Error {
  override readonly name = "Violation";
}

export function check(holds: boolean, message: () => string): asserts holds {
  if (!holds) throw new Violation(message());
}
