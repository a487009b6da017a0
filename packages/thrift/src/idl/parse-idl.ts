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
import { bigintOf, TokenCursor } from "./token-cursor.ts";
import type { Token } from "./tokens.ts";

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

/** What former compilers had in place of `namespace LANGUAGE`. */
const formerNamespaces: Readonly<Record<string, string>> = {
  cpp_namespace: "cpp",
  php_namespace: "php",
  py_module: "py",
  perl_package: "perl",
  ruby_namespace: "rb",
  smalltalk_category: "smalltalk.category",
  smalltalk_prefix: "smalltalk.prefix",
  java_package: "java",
  cocoa_prefix: "cocoa",
  csharp_namespace: "csharp",
  delphi_namespace: "delphi",
  xsd_namespace: "xsd",
};

/** Types nest no deeper: `list<list<…` without end must not end in a stack overflow. */
const deepestType = 64;

/**
 * Reads the text of one .thrift file.
 *
 * @param file its name in messages
 * @throws {IdlError} at the first thing that is wrong: place, what was expected, what was found
 */
export function parseIdl(text: string, file: string): FileSyntax {
  return new Parser(text, file).file();
}

/** Recursive descent: a method for each rule of the grammar. */
class Parser {
  readonly #tokens: TokenCursor;
  readonly #file: string;
  #depth = 0;

  constructor(text: string, file: string) {
    this.#tokens = new TokenCursor(text, file);
    this.#file = file;
  }

  file(): FileSyntax {
    const includes: { path: string; place: Place }[] = [];
    const namespaces = new Map<string, string>();
    const definitions: DefinitionSyntax[] = [];
    while (this.#tokens.peek().kind !== "end") {
      const token = this.#tokens.expect("word", `one of ${definitionWords.join(", ")}`);
      if (token.text === "include")
        includes.push({ path: this.#tokens.expect("string", "a file name in quotes").text, place: token.place });
      else if (token.text === "cpp_include") this.#tokens.expect("string", "a file name in quotes");
      else if (token.text === "namespace") this.#namespace(namespaces);
      else if (Object.hasOwn(formerNamespaces, token.text)) this.#formerNamespace(token.text, namespaces);
      else definitions.push(this.#definition(token));
      this.#tokens.separator();
    }
    return { file: this.#file, includes, namespaces, definitions };
  }

  #namespace(namespaces: Map<string, string>): void {
    const language = this.#tokens.takeMark("*") ? "*" : this.#tokens.expect("word", "a language").text;
    const next = this.#tokens.next();
    if (next.kind !== "word" && next.kind !== "string") throw this.#tokens.unexpected(next, "a namespace");
    namespaces.set(language, next.text);
    this.#annotations();
  }

  #formerNamespace(word: string, namespaces: Map<string, string>): void {
    const next = this.#tokens.next();
    if (next.kind !== "word" && next.kind !== "string") throw this.#tokens.unexpected(next, "a namespace");
    namespaces.set(formerNamespaces[word] as string, next.text);
  }

  #definition(token: Token): DefinitionSyntax {
    const { place, doc } = token;
    switch (token.text) {
      case "const": {
        const type = this.#type();
        const name = this.#tokens.name("the constant's name");
        this.#tokens.mark("=");
        return { kind: "const", name, doc, place, type, value: this.#constant() };
      }
      case "typedef": {
        const type = this.#type();
        const name = this.#tokens.name("the new type's name");
        this.#annotations();
        return { kind: "typedef", name, doc, place, type };
      }
      case "enum":
        return { kind: "enum", name: this.#tokens.name("the enum's name"), doc, place, members: this.#enumMembers() };
      case "senum":
        return { kind: "typedef", name: this.#tokens.name("the enum's name"), doc, place, type: this.#textEnum(place) };
      case "struct":
      case "union":
      case "exception": {
        const name = this.#tokens.name(`the ${token.text}'s name`);
        this.#tokens.takeWord("xsd_all");
        this.#tokens.mark("{");
        const fields = this.#fields("}");
        this.#annotations();
        return { kind: token.text, name, doc, place, fields };
      }
      case "service": {
        const name = this.#tokens.name("the service's name");
        const base = this.#tokens.takeWord("extends") ? this.#tokens.expect("word", "the service that is extended").text : undefined;
        this.#tokens.mark("{");
        const functions: FunctionSyntax[] = [];
        while (!this.#tokens.takeMark("}")) functions.push(this.#function());
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

  /** What Facebook's compiler once had: an enum of texts, which are texts on the wire. */
  #textEnum(place: Place): TypeSyntax {
    this.#tokens.mark("{");
    while (!this.#tokens.takeMark("}")) {
      this.#tokens.expect("string", 'a text or "}"');
      this.#tokens.separator();
    }
    this.#annotations();
    return { kind: "base", name: "string", place };
  }

  #enumMembers(): EnumMemberSyntax[] {
    const members: EnumMemberSyntax[] = [];
    this.#tokens.mark("{");
    while (!this.#tokens.takeMark("}")) {
      const { text: name, place, doc } = this.#tokens.expect("word", 'a name or "}"');
      const value = this.#tokens.takeMark("=") ? this.#tokens.integer("a number", -(2 ** 31), 2 ** 31 - 1) : undefined;
      this.#annotations();
      this.#tokens.separator();
      members.push({ name, value, doc, place });
    }
    this.#annotations();
    return members;
  }

  #fields(close: string): FieldSyntax[] {
    const fields: FieldSyntax[] = [];
    while (!this.#tokens.takeMark(close)) fields.push(this.#field());
    return fields;
  }

  #field(): FieldSyntax {
    const { place, doc } = this.#tokens.peek();
    let id: number | undefined;
    if (this.#tokens.peek().kind === "integer") {
      id = this.#tokens.integer("a field id", -(2 ** 31), 2 ** 31 - 1);
      this.#tokens.mark(":");
    }
    const requiredness: Requiredness = this.#tokens.takeWord("required")
      ? "required"
      : this.#tokens.takeWord("optional")
        ? "optional"
        : "default";
    const type = this.#type();
    this.#tokens.takeMark("&");
    const name = this.#tokens.name("the field's name");
    const defaultValue = this.#tokens.takeMark("=") ? this.#constant() : undefined;
    this.#tokens.takeWord("xsd_optional");
    this.#tokens.takeWord("xsd_nillable");
    if (this.#tokens.takeWord("xsd_attrs")) {
      this.#tokens.mark("{");
      this.#fields("}");
    }
    this.#annotations();
    this.#tokens.separator();
    return { id, requiredness, type, name, defaultValue, doc, place };
  }

  #function(): FunctionSyntax {
    const { place, doc } = this.#tokens.peek();
    const oneway = this.#tokens.takeWord("oneway") || this.#tokens.takeWord("async");
    const returns = this.#tokens.takeWord("void") ? undefined : this.#type();
    const name = this.#tokens.name("the method's name");
    this.#tokens.mark("(");
    const args = this.#fields(")");
    let throws: FieldSyntax[] = [];
    if (this.#tokens.takeWord("throws")) {
      this.#tokens.mark("(");
      throws = this.#fields(")");
    }
    this.#annotations();
    this.#tokens.separator();
    if (oneway && returns !== undefined) throw new IdlError(place, `the oneway method ${name} must be void: nobody waits for its answer`);
    if (oneway && throws.length > 0) throw new IdlError(place, `the oneway method ${name} can't throw: nobody waits for its answer`);
    return { name, oneway, returns, args, throws, doc, place };
  }

  #type(): TypeSyntax {
    const token = this.#tokens.expect("word", "a type");
    const { place, text } = token;
    if (++this.#depth > deepestType) throw new IdlError(place, `types nest deeper than ${deepestType}`);
    let type: TypeSyntax;
    if (text === "list" || text === "set") {
      this.#cppType();
      this.#tokens.mark("<");
      type = { kind: text, element: this.#type(), place };
      this.#tokens.mark(">");
      this.#cppType();
    } else if (text === "map") {
      this.#cppType();
      this.#tokens.mark("<");
      const key = this.#type();
      this.#tokens.mark(",");
      type = { kind: "map", key, value: this.#type(), place };
      this.#tokens.mark(">");
    } else if (Object.hasOwn(baseTypes, text)) type = { kind: "base", name: baseTypes[text] as BaseTypeName, place };
    else if (text === "void") throw new IdlError(place, "only a method's result may be void");
    else type = { kind: "name", name: text, place };
    this.#depth -= 1;
    this.#annotations();
    return type;
  }

  #cppType(): void {
    if (this.#tokens.takeWord("cpp_type")) this.#tokens.expect("string", "a type in quotes");
  }

  #constant(): ConstSyntax {
    const token = this.#tokens.next();
    const { place } = token;
    if (++this.#depth > deepestType) throw new IdlError(place, `constants nest deeper than ${deepestType}`);
    try {
      if (token.kind === "integer") return { kind: "integer", value: bigintOf(token.text), place };
      if (token.kind === "double") return { kind: "double", value: Number(token.text), place };
      if (token.kind === "string") return { kind: "string", value: token.text, place };
      if (token.kind === "word") return { kind: "name", name: token.text, place };
      if (token.text === "[") {
        const items: ConstSyntax[] = [];
        while (!this.#tokens.takeMark("]")) {
          items.push(this.#constant());
          this.#tokens.separator();
        }
        return { kind: "list", items, place };
      }
      if (token.text === "{") {
        const entries: [ConstSyntax, ConstSyntax][] = [];
        while (!this.#tokens.takeMark("}")) {
          const key = this.#constant();
          this.#tokens.mark(":");
          entries.push([key, this.#constant()]);
          this.#tokens.separator();
        }
        return { kind: "map", entries, place };
      }
      throw this.#tokens.unexpected(token, "a value");
    } finally {
      this.#depth -= 1;
    }
  }

  /** `(key = "value", flag)`: for generators of other languages. */
  #annotations(): void {
    if (!this.#tokens.takeMark("(")) return;
    while (!this.#tokens.takeMark(")")) {
      this.#tokens.expect("word", 'an annotation or ")"');
      if (this.#tokens.takeMark("=")) this.#tokens.next();
      this.#tokens.separator();
    }
  }
}
