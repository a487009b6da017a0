/** The trace that a caller says its call belongs to. */
export interface ParentTrace {
  readonly traceId: string;
  /** The caller's span. */
  readonly parentId: string;
  readonly sampled: boolean;
}

// Version ff is forbidden, and ids of zeros are none (sections 3.2.2.1, 3.2.2.3 and 3.2.2.4). Later versions may have more parts.
const form = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:$|-)/;

/** Reads W3C's `traceparent` (w3.org/TR/trace-context, version 00); `undefined` for what is none. */
export function readTraceparent(text: string): ParentTrace | undefined {
  const found = form.exec(text);
  if (found === null) return undefined;
  const [, traceId = "", parentId = "", flags = "00"] = found;
  return { traceId, parentId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}
