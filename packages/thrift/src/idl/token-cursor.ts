import { IdlError } from "./idl-error.ts";
import { tokensOf, type Token } from "./tokens.ts";

/** The tokens of a file, taken one after the other; what is not as expected is an error that names the place. */
export class TokenCursor {
  readonly #tokens: readonly Token[];
  #position = 0;

  /** @throws {IdlError} at the first character that begins nothing */
  constructor(text: string, file: string) {
    this.#tokens = tokensOf(text, file);
  }

  peek(): Token {
    // There is always one: the last is the end, and nobody goes past it.
    return this.#tokens[Math.min(this.#position, this.#tokens.length - 1)] as Token;
  }

  next(): Token {
    const token = this.peek();
    this.#position += 1;
    return token;
  }

  /** @throws {IdlError} when the next token is of another kind */
  expect(kind: Token["kind"], what: string): Token {
    const token = this.next();
    if (token.kind !== kind) throw this.unexpected(token, what);
    return token;
  }

  /** A word that is one name, without dots. @throws {IdlError} */
  name(what: string): string {
    const token = this.expect("word", what);
    if (/[.-]/.test(token.text))
      throw new IdlError(token.place, `expected ${what}, found "${token.text}": a name has letters, digits and _ only`);
    return token.text;
  }

  /** @throws {IdlError} when the next token is no integer in the range */
  integer(what: string, least: number, most: number): number {
    const token = this.expect("integer", what);
    const value = bigintOf(token.text);
    if (value < least || value > most) throw new IdlError(token.place, `expected ${what} of ${least} to ${most}, found ${token.text}`);
    return Number(value);
  }

  /** @throws {IdlError} unless the next token is this mark */
  mark(text: string): void {
    const token = this.next();
    if (token.kind !== "mark" || token.text !== text) throw this.unexpected(token, `"${text}"`);
  }

  takeMark(text: string): boolean {
    return this.#take("mark", text);
  }

  takeWord(text: string): boolean {
    return this.#take("word", text);
  }

  /** A comma or a semicolon, where there is one. */
  separator(): void {
    if (!this.takeMark(",")) this.takeMark(";");
  }

  unexpected(token: Token, what: string): IdlError {
    const found = token.kind === "end" ? token.text : JSON.stringify(token.text);
    return new IdlError(token.place, `expected ${what}, found ${found}`);
  }

  #take(kind: Token["kind"], text: string): boolean {
    const token = this.peek();
    if (token.kind !== kind || token.text !== text) return false;
    this.#position += 1;
    return true;
  }
}

/** `BigInt` reads no sign before a prefix. */
export function bigintOf(text: string): bigint {
  const negative = text.startsWith("-");
  const value = BigInt(text.replace(/^[+-]/, ""));
  return negative ? -value : value;
}
