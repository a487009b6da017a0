import { isUtf8 } from "node:buffer";
import type { Parse } from "../message.ts";

/** The body as JSON. Its type is what the consumer says it is: nothing is checked. */
// oxlint-disable-next-line typescript/no-explicit-any -- the caller names its type, as with JSON.parse
export const json: Parse<any> = ({ bytes }) => {
  if (!isUtf8(bytes)) throw new SyntaxError("the body is not UTF-8");
  return JSON.parse(bytes.toString()) as unknown;
};
