const digits = /^\s*[+-]?\d+(?:\.\d+)?\s*$/;

/** A number that a publisher wrote into a header, in whatever type its client has for it; `undefined` for what is no number. */
export function headerNumber(value: unknown): number | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "string") return digits.test(value) ? Number(value) : undefined;
  if (value instanceof Uint8Array) return headerNumber(Buffer.from(value).toString("latin1"));
  return typeof value === "object" && value !== null && "!" in value && "value" in value ? typedNumber(value) : undefined;
}

/** amqplib reads times and decimals as `{ "!": TYPE, value }`. */
function typedNumber({ "!": type, value }: { readonly "!": unknown; readonly value: unknown }): number | undefined {
  if (type !== "decimal") return headerNumber(value);
  const { digits: all, places } = (value ?? {}) as { readonly digits?: unknown; readonly places?: unknown };
  return typeof all === "number" && typeof places === "number" ? all / 10 ** places : undefined;
}

/** How many, in whole numbers from 0 on; 0 for what is no number. */
export function headerCount(value: unknown): number {
  return Math.max(0, Math.floor(headerNumber(value) ?? 0));
}
