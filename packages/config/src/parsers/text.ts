import { choices as choicesMark, type Parser } from "../spec.ts";
import { didYouMean } from "../nearest.ts";

/** Any text, as it was written. */
export const string: Parser<string> = (text) => text;

/** `true` or `false`, in any case. Words such as `yes` and `on` are refused, so that one spelling is found by a search. */
export const boolean: Parser<boolean> = Object.assign(
  (text: string) => {
    const word = text.toLowerCase();
    if (word !== "true" && word !== "false") throw new Error("expected true or false");
    return word === "true";
  },
  { [choicesMark]: ["true", "false"] },
);

/** Standard base64 (RFC 4648, section 4) with its padding. */
export const base64: Parser<Buffer> = (text) => {
  const joined = text.replace(/\s+/g, "");
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(joined)) {
    throw new Error("expected base64 with its padding");
  }
  return Buffer.from(joined, "base64");
};

/** One of the given names, exactly; gives the value that stands for it. */
export function oneOf<const T extends Readonly<Record<string, unknown>>>(choices: T): Parser<T[keyof T]> {
  const names = Object.keys(choices);
  const parse: Parser<T[keyof T]> = (text) => {
    if (Object.hasOwn(choices, text)) return choices[text] as T[keyof T];
    throw new Error(`expected one of ${names.join(", ")}${didYouMean(text, names)}`);
  };
  return Object.assign(parse, { [choicesMark]: names });
}
