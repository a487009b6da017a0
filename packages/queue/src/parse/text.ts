import type { Parse } from "../message.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });

/** The body as UTF-8 text; bytes that are none are unparseable. */
export const text: Parse<string> = ({ bytes }) => decoder.decode(bytes);
