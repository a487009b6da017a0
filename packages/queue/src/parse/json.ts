import { isUtf8 } from "node:buffer";
import type { Parse } from "../message.ts";

/** The body as JSON. Its type is what the consumer says it is: nothing is checked. */
// oxlint-disable-next-line typescript/no-explicit-any -- the caller names its type, as with JSON.parse
export const json: Parse<any> = ({ bytes }) => {
  if (!isUtf8(bytes)) throw new SyntaxError("the body is not UTF-8");
  const text = bytes.toString();
  // Some clients put a byte order mark before it, which a reader may ignore (RFC 8259, section 8.1).
  return JSON.parse(text.startsWith("\uFEFF") ? text.slice(1) : text) as unknown;
};
