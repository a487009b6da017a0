import { IdlError } from "./idl-error.ts";
import type { Place } from "./syntax.ts";

export type TokenKind = "word" | "integer" | "double" | "string" | "mark" | "end";

export interface Token {
  readonly kind: TokenKind;
  /** As written, but for a string, whose quotes are gone and whose escapes are read. */
  readonly text: string;
  readonly place: Place;
  /** The doc comment right before it. */
  readonly doc: string | undefined;
}

const blank = /[ \t\r\n\f\uFEFF]+/y;
const lineComment = /(?:\/\/|#)[^\n]*/y;
const blockComment = /\/\*[^]*?\*\//y;
// Numbers before words, and doubles before integers: `1.5` is no integer followed by something.
const double = /[+-]?(?:\d+\.\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)/y;
const integer = /[+-]?(?:0[xX][0-9a-fA-F]+|0[oO][0-7]+|\d+)/y;
const word = /[A-Za-z_](?:[A-Za-z0-9_]|\.(?=[A-Za-z0-9_])|-(?=[A-Za-z0-9_]))*/y;
const mark = /[{}()[\]<>,;:=*&]/y;
const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", "\\": "\\", '"': '"', "'": "'" };

/** @throws {IdlError} at the first character that begins nothing */
export function tokensOf(text: string, file: string): Token[] {
  const lineStarts = lineStartsOf(text);
  const tokens: Token[] = [];
  let position = 0;
  let doc: string | undefined;

  const place = (at: number): Place => {
    const line = lineOf(lineStarts, at);
    return { file, line: line + 1, column: at - (lineStarts[line] ?? 0) + 1 };
  };
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = position;
    return pattern.exec(text)?.[0];
  };
  const push = (kind: TokenKind, written: string, meaning: string = written): void => {
    tokens.push({ kind, text: meaning, place: place(position), doc });
    doc = undefined;
    position += written.length;
  };

  while (position < text.length) {
    const skipped = match(blank) ?? match(lineComment);
    const comment = skipped === undefined ? match(blockComment) : undefined;
    const character = text[position] ?? "";
    let found: string | undefined;
    if (skipped !== undefined) position += skipped.length;
    else if (comment !== undefined) {
      if (comment.startsWith("/**") && comment.length > 4) doc = docText(comment);
      position += comment.length;
    } else if (text.startsWith("/*", position)) throw new IdlError(place(position), "this comment is never closed");
    else if (character === '"' || character === "'") {
      const end = closingQuote(text, position, character);
      if (end === -1) throw new IdlError(place(position), "this text is never closed");
      push("string", text.slice(position, end + 1), unescape(text.slice(position + 1, end)));
    } else if ((found = match(double)) !== undefined) push("double", found);
    else if ((found = match(integer)) !== undefined) push("integer", found);
    else if ((found = match(word)) !== undefined) push("word", found);
    else if ((found = match(mark)) !== undefined) push("mark", found);
    else throw new IdlError(place(position), `unexpected character ${JSON.stringify(character)}`);
  }
  tokens.push({ kind: "end", text: "the end of the file", place: place(text.length), doc: undefined });
  return tokens;
}

function closingQuote(text: string, start: number, quote: string): number {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === "\\") i += 1;
    else if (text[i] === quote) return i;
  }
  return -1;
}

/** An escape that is none keeps its backslash. */
function unescape(text: string): string {
  return text.replace(/\\(.)/gs, (written, character: string) => escapes[character] ?? written);
}

function docText(comment: string): string {
  return comment
    .slice(3, -2)
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, "").trimEnd())
    .join("\n")
    .trim();
}

function lineStartsOf(text: string): number[] {
  const starts = [0];
  for (let i = text.indexOf("\n"); i !== -1; i = text.indexOf("\n", i + 1)) starts.push(i + 1);
  return starts;
}

/** The last line that starts at or before a position. */
function lineOf(starts: readonly number[], position: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] ?? 0) <= position) low = middle;
    else high = middle - 1;
  }
  return low;
}
