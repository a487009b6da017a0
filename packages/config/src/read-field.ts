/** A field of a value that is not ours; `undefined` where it has none, or can't be read: a getter may throw, a proxy may refuse. */
export function readField(value: unknown, name: string): unknown {
  if ((typeof value !== "object" || value === null) && typeof value !== "function") return undefined;
  try {
    return (value as Readonly<Record<string, unknown>>)[name];
  } catch {
    return undefined;
  }
}
