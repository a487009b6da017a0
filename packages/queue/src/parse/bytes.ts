import type { Parse } from "../message.ts";

/** The body as it came. */
export const bytes: Parse<Buffer> = (message) => message.bytes;
