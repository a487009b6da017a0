import { didYouMean } from "@tsserve/config";
import { IdlError } from "./idl-error.ts";
import type {
  BaseTypeName,
  ConstSyntax,
  DefinitionSyntax,
  EnumMemberSyntax,
  FieldSyntax,
  FileSyntax,
  FunctionSyntax,
  Place,
  Requiredness,
  TypeSyntax,
} from "./syntax.ts";
import { tokensOf, type Token } from "./tokens.ts";

const baseTypes: Readonly<Record<string, BaseTypeName>> = {
  bool: "bool",
  byte: "i8",
  i8: "i8",
  i16: "i16",
  i32: "i32",
  i64: "i64",
  double: "double",
  string: "string",
  binary: "binary",
  uuid: "uuid",
};

const definitionWords = ["include", "cpp_include", "namespace", "const", "typedef", "enum", "struct", "union", "exception", "service"];

/** Types nest no deeper: `list<list<…` without end must not end in a stack overflow. */
const deepestType = 64;

/**
 * Reads the text of one .thrift file.
 *
 * @param file its name in messages
 * @throws {IdlError} at the first thing that is wrong: place, what was expected, what was found
 */
export function parseIdl(text: string, file: string): FileSyntax {
  return new Parser(tokensOf(text, file), file).file();
}

/** Recursive descent: a method for each rule of the grammar. */
class Parser {
  readonly #tokens: readonly Token[];
  readonly #file: string;
  #position = 0;
  #depth = 0;

  constructor(tokens: readonly Token[], file: string) {
    this.#tokens = tokens;
    this.#file = file;
  }

  file(): FileSyntax {
    const includes: { path: string; place: Place }[] = [];
    const namespaces = new Map<string, string>();
    const definitions: DefinitionSyntax[] = [];
    while (this.#peek().kind !== "end") {
      const token = this.#expect("word", `one of ${definitionWords.join(", ")}`);
      if (token.text === "include") includes.push({ path: this.#expect("string", "a file name in quotes").text, place: token.place });
      else if (token.text === "cpp_include") this.#expect("string", "a file name in quotes");
      else if (token.text === "namespace") this.#namespace(namespaces);
      else definitions.push(this.#definition(token));
      this.#separator();
    }
    return { file: this.#file, includes, namespaces, definitions };
  }

  #namespace(namespaces: Map<string, string>): void {
    const language = this.#takeMark("*") ? "*" : this.#expect("word", "a language").text;
    const next = this.#next();
    if (next.kind !== "word" && next.kind !== "string") throw this.#unexpected(next, "a namespace");
    namespaces.set(language, next.text);
    this.#annotations();
  }

  #definition(token: Token): DefinitionSyntax {
    const { place, doc } = token;
    switch (token.text) {
      case "const": {
        const type = this.#type();
        const name = this.#name("the constant's name");
        this.#mark("=");
        return { kind: "const", name, doc, place, type, value: this.#constant() };
      }
      case "typedef": {
        const type = this.#type();
        const name = this.#name("the new type's name");
        this.#annotations();
        return { kind: "typedef", name, doc, place, type };
      }
      case "enum":
        return { kind: "enum", name: this.#name("the enum's name"), doc, place, members: this.#enumMembers() };
      case "struct":
      case "union":
      case "exception": {
        const name = this.#name(`the ${token.text}'s name`);
        this.#takeWord("xsd_all");
        this.#mark("{");
        const fields = this.#fields("}");
        this.#annotations();
        return { kind: token.text, name, doc, place, fields };
      }
      case "service": {
        const name = this.#name("the service's name");
        const base = this.#takeWord("extends") ? this.#expect("word", "the service that is extended").text : undefined;
        this.#mark("{");
        const functions: FunctionSyntax[] = [];
        while (!this.#takeMark("}")) functions.push(this.#function());
        this.#annotations();
        return { kind: "service", name, doc, place, base, functions };
      }
      default:
        throw new IdlError(
          place,
          `expected one of ${definitionWords.join(", ")}, found "${token.text}"${didYouMean(token.text, definitionWords)}`,
        );
    }
  }

  #enumMembers(): EnumMemberSyntax[] {
    const members: EnumMemberSyntax[] = [];
    this.#mark("{");
    while (!this.#takeMark("}")) {
      const { text: name, place, doc } = this.#expect("word", 'a name or "}"');
      const value = this.#takeMark("=") ? this.#integer("a number", -(2 ** 31), 2 ** 31 - 1) : undefined;
      this.#annotations();
      this.#separator();
      members.push({ name, value, doc, place });
    }
    this.#annotations();
    return members;
  }

  #fields(close: string): FieldSyntax[] {
    const fields: FieldSyntax[] = [];
    while (!this.#takeMark(close)) fields.push(this.#field());
    return fields;
  }

  #field(): FieldSyntax {
    const { place, doc } = this.#peek();
    let id: number | undefined;
    if (this.#peek().kind === "integer") {
      id = this.#integer("a field id", -32_768, 32_767);
      this.#mark(":");
    }
    const requiredness: Requiredness = this.#takeWord("required") ? "required" : this.#takeWord("optional") ? "optional" : "default";
    const type = this.#type();
    this.#takeMark("&");
    const name = this.#name("the field's name");
    const defaultValue = this.#takeMark("=") ? this.#constant() : undefined;
    this.#takeWord("xsd_optional");
    this.#takeWord("xsd_nillable");
    this.#annotations();
    this.#separator();
    return { id, requiredness, type, name, defaultValue, doc, place };
  }

  #function(): FunctionSyntax {
    const { place, doc } = this.#peek();
    const oneway = this.#takeWord("oneway") || this.#takeWord("async");
    const returns = this.#takeWord("void") ? undefined : this.#type();
    const name = this.#name("the method's name");
    this.#mark("(");
    const args = this.#fields(")");
    let throws: FieldSyntax[] = [];
    if (this.#takeWord("throws")) {
      this.#mark("(");
      throws = this.#fields(")");
    }
    this.#annotations();
    this.#separator();
    if (oneway && returns !== undefined) throw new IdlError(place, `the oneway method ${name} must be void: nobody waits for its answer`);
    if (oneway && throws.length > 0) throw new IdlError(place, `the oneway method ${name} can't throw: nobody waits for its answer`);
    return { name, oneway, returns, args, throws, doc, place };
  }

  #type(): TypeSyntax {
    const token = this.#expect("word", "a type");
    const { place, text } = token;
    if (++this.#depth > deepestType) throw new IdlError(place, `types nest deeper than ${deepestType}`);
    let type: TypeSyntax;
    if (text === "list" || text === "set") {
      this.#cppType();
      this.#mark("<");
      type = { kind: text, element: this.#type(), place };
      this.#mark(">");
      this.#cppType();
    } else if (text === "map") {
      this.#cppType();
      this.#mark("<");
      const key = this.#type();
      this.#mark(",");
      type = { kind: "map", key, value: this.#type(), place };
      this.#mark(">");
    } else if (Object.hasOwn(baseTypes, text)) type = { kind: "base", name: baseTypes[text] as BaseTypeName, place };
    else if (text === "void") throw new IdlError(place, "only a method's result may be void");
    else type = { kind: "name", name: text, place };
    this.#depth -= 1;
    this.#annotations();
    return type;
  }

  #cppType(): void {
    if (this.#takeWord("cpp_type")) this.#expect("string", "a type in quotes");
  }

  #constant(): ConstSyntax {
    const token = this.#next();
    const { place } = token;
    if (++this.#depth > deepestType) throw new IdlError(place, `constants nest deeper than ${deepestType}`);
    try {
      if (token.kind === "integer") return { kind: "integer", value: bigintOf(token.text), place };
      if (token.kind === "double") return { kind: "double", value: Number(token.text), place };
      if (token.kind === "string") return { kind: "string", value: token.text, place };
      if (token.kind === "word") return { kind: "name", name: token.text, place };
      if (token.text === "[") {
        const items: ConstSyntax[] = [];
        while (!this.#takeMark("]")) {
          items.push(this.#constant());
          this.#separator();
        }
        return { kind: "list", items, place };
      }
      if (token.text === "{") {
        const entries: [ConstSyntax, ConstSyntax][] = [];
        while (!this.#takeMark("}")) {
          const key = this.#constant();
          this.#mark(":");
          entries.push([key, this.#constant()]);
          this.#separator();
        }
        return { kind: "map", entries, place };
      }
      throw this.#unexpected(token, "a value");
    } finally {
      this.#depth -= 1;
    }
  }

  /** `(key = "value", flag)`: for generators of other languages. */
  #annotations(): void {
    if (!this.#takeMark("(")) return;
    while (!this.#takeMark(")")) {
      this.#expect("word", 'an annotation or ")"');
      if (this.#takeMark("=")) this.#next();
      this.#separator();
    }
  }

  #separator(): void {
    if (!this.#takeMark(",")) this.#takeMark(";");
  }

  #name(what: string): string {
    const token = this.#expect("word", what);
    if (/[.-]/.test(token.text))
      throw new IdlError(token.place, `expected ${what}, found "${token.text}": a name has letters, digits and _ only`);
    return token.text;
  }

  #integer(what: string, least: number, most: number): number {
    const token = this.#expect("integer", what);
    const value = bigintOf(token.text);
    if (value < least || value > most) throw new IdlError(token.place, `expected ${what} of ${least} to ${most}, found ${token.text}`);
    return Number(value);
  }

  #peek(): Token {
    // There is always one: the last is the end, and nobody goes past it.
    return this.#tokens[Math.min(this.#position, this.#tokens.length - 1)] as Token;
  }

  #next(): Token {
    const token = this.#peek();
    this.#position += 1;
    return token;
  }

  #expect(kind: Token["kind"], what: string): Token {
    const token = this.#next();
    if (token.kind !== kind) throw this.#unexpected(token, what);
    return token;
  }

  #mark(text: string): void {
    const token = this.#next();
    if (token.kind !== "mark" || token.text !== text) throw this.#unexpected(token, `"${text}"`);
  }

  #takeMark(text: string): boolean {
    return this.#take("mark", text);
  }

  #takeWord(text: string): boolean {
    return this.#take("word", text);
  }

  #take(kind: Token["kind"], text: string): boolean {
    const token = this.#peek();
    if (token.kind !== kind || token.text !== text) return false;
    this.#position += 1;
    return true;
  }

  #unexpected(token: Token, what: string): IdlError {
    const found = token.kind === "end" ? token.text : JSON.stringify(token.text);
    return new IdlError(token.place, `expected ${what}, found ${found}`);
  }
}

/** `BigInt` reads no sign before a prefix. */
function bigintOf(text: string): bigint {
  const negative = text.startsWith("-");
  const value = BigInt(text.replace(/^[+-]/, ""));
  return negative ? -value : value;
}
