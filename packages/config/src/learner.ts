/** Is told each secret that a spec finds among values, with its key. */
export type Learner = (key: string, text: string) => void;

/**
 * Under this name, the values of a section carry who wants to know of secrets: an app's own spec may say that a key is secret
 * whose name does not, and only its `parseConfig` knows. Shared by all copies of this package, and not enumerable: who copies
 * the values has just the values.
 */
const learnerMark: unique symbol = Symbol.for("tsserve.learner");

/** Makes `parseConfig` tell the secrets that it finds in these values. Before they are frozen. */
export function withLearner<T extends object>(values: T, learn: Learner | undefined): T {
  if (learn !== undefined) Object.defineProperty(values, learnerMark, { value: learn });
  return values;
}

export function learnerOf(values: object): Learner | undefined {
  const learner = (values as { readonly [learnerMark]?: unknown })[learnerMark];
  return typeof learner === "function" ? (learner as Learner) : undefined;
}
