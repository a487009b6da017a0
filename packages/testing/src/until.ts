const pollMs = 10;

/**
 * Waits until a condition holds: until `probe` gives something that is neither `undefined` nor `false`.
 *
 * @throws {Error} when it does not within `timeoutMs` (default: half a minute, since a busy machine may stand still for seconds);
 *   `describe` is asked for what there was instead
 */
export async function until<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  { timeoutMs = 30_000, describe = () => "" }: { readonly timeoutMs?: number; readonly describe?: () => string } = {},
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > end) throw new Error(`${what}: not within ${timeoutMs} ms\n${describe()}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}
