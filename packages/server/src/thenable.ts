/**
 * Whether a value is a promise to whoever waits for it: Node's own, another library's, or anything else with a `then`. One that is a
 * function counts as well (Promises/A+, section 1.1).
 *
 * @throws what a getter of `then` throws
 */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if ((typeof value !== "object" || value === null) && typeof value !== "function") return false;
  return typeof (value as { then?: unknown }).then === "function";
}
