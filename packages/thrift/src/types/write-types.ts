import type { I64Mode } from "../codec/codec.ts";
import type { Field, Idl, Method, Service, Struct, Type } from "../idl/model.ts";

/** What apps import from. */
const appPackage = "tsserve/thrift";

/**
 * The TypeScript types of a .thrift file: an interface for each struct, a class for each exception, and for each
 * service what its handler and its client look like. What the file includes is written along, once.
 *
 * @param idl a file with all that it includes
 * @returns the text of a module
 */
export function writeTypes(idl: Idl, { i64 = "bigint" }: { readonly i64?: I64Mode } = {}): string {
  return new TypeWriter(idl, i64).text();
}

class TypeWriter {
  readonly #idl: Idl;
  readonly #i64: I64Mode;
  readonly #structs = new Map<Struct, string>();
  readonly #pending: Struct[] = [];
  readonly #enums = new Map<string, string>();
  readonly #parts: string[] = [];

  constructor(idl: Idl, i64: I64Mode) {
    this.#idl = idl;
    this.#i64 = i64;
  }

  text(): string {
    for (const struct of this.#idl.structs.values()) this.#structName(struct);
    for (const { name, values, doc } of this.#idl.enums.values()) this.#enumName(name, values, doc);
    const services = [...this.#idl.services.values()].map((service) => this.#service(service));
    for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift()) this.#parts.push(this.#struct(next));
    const head = `// Written by \`tsserve thrift-types\` from ${this.#idl.file.split("/").at(-1)}: change that file, not this one.\n`;
    const context = services.length > 0 ? `import type { ThriftContext } from "${appPackage}";\n` : "";
    return [head + context, ...this.#enums.values(), ...this.#parts, this.#definitions(), ...services].join("\n");
  }

  /** What a loaded service has beside its methods. */
  #definitions(): string {
    const exceptions = [...this.#structs].filter(([{ kind }]) => kind === "exception");
    const classes = exceptions.map(([{ name }, type]) => `    readonly ${key(name)}: new (fields?: ${type}Fields) => ${type};\n`);
    const enums = [...this.#idl.enums.keys()].map((name) => `    readonly ${key(name)}: ${name}Values;\n`);
    const file = this.#idl.file.split("/").at(-1);
    return [
      `/** \`loadService<Definitions>("./${file}", …)\` */`,
      "export interface Definitions {",
      `  readonly exceptions: {\n${classes.join("")}  };`,
      `  readonly enums: {\n${enums.join("")}  };`,
      "}\n",
    ].join("\n");
  }

  #type(type: Type): string {
    switch (type.kind) {
      case "bool":
        return "boolean";
      case "i64":
        return this.#i64;
      case "i8":
      case "i16":
      case "i32":
      case "double":
        return "number";
      case "string":
      case "uuid":
        return "string";
      case "binary":
        return "Buffer";
      case "list":
        return `${wrapped(this.#type(type.element))}[]`;
      case "set":
        return `Set<${this.#type(type.element)}>`;
      case "map":
        return `Map<${this.#type(type.key)}, ${this.#type(type.value)}>`;
      case "enum":
        return this.#enumName(type.enum.name, type.enum.values, type.enum.doc);
      case "struct":
        return this.#structName(type.struct);
      default:
        return type satisfies never;
    }
  }

  /** Structs of several files may have one name: all but the first get a number. */
  #structName(struct: Struct): string {
    const known = this.#structs.get(struct);
    if (known !== undefined) return known;
    const taken = new Set(this.#structs.values());
    let name = struct.name;
    for (let count = 2; taken.has(name); count++) name = `${struct.name}${count}`;
    this.#structs.set(struct, name);
    this.#pending.push(struct);
    return name;
  }

  #enumName(name: string, values: ReadonlyMap<string, number>, doc: string | undefined): string {
    if (!this.#enums.has(name)) {
      const members = [...values].map(([member, value]) => `  readonly ${member}: ${value};\n`).join("");
      const union = [...new Set(values.values())].join(" | ") || "never";
      this.#enums.set(
        name,
        `${comment(doc)}export type ${name} = ${union};\n/** The values of \`${name}\`, as \`service.enums.${name}\` has them. */\nexport interface ${name}Values {\n${members}}\n`,
      );
    }
    return name;
  }

  #struct(struct: Struct): string {
    const name = this.#structName(struct);
    const doc = comment(struct.doc);
    if (struct.kind === "union") {
      const branches = struct.fields.map((field) => {
        const others = struct.fields.filter((each) => each !== field).map((each) => `${key(each.name)}?: undefined`);
        return `  | { ${[`${key(field.name)}: ${this.#type(field.type)}`, ...others].join("; ")} }`;
      });
      return `${doc}export type ${name} =\n${branches.join("\n")};\n`;
    }
    const fields = struct.fields.map((field) => this.#field(field)).join("");
    if (struct.kind === "struct") return `${doc}export interface ${name} {\n${fields}}\n`;
    return `${doc}export interface ${name}Fields {\n${fields}}\n/** Thrown as \`new service.exceptions.${struct.name}({ … })\`. */\nexport type ${name} = Error & ${name}Fields;\n`;
  }

  /** Without a default and not required, a field of another writer may be missing. */
  #field({ name, type, requiredness, defaultValue, doc }: Field): string {
    const isOptional = requiredness === "optional" || (requiredness === "default" && defaultValue === undefined);
    return `${comment(doc, "  ")}  ${key(name)}${isOptional ? "?" : ""}: ${this.#type(type)}${isOptional ? " | undefined" : ""};\n`;
  }

  #service({ name, methods, doc }: Service): string {
    const all = [...methods.values()];
    const given = (result: string): string => `${result} | Promise<${result}>`;
    const handler = all.map((method) => this.#method(method, given, [], isAnsweredForApps(method)));
    const context = all.map((method) => this.#method(method, given, ["context: ThriftContext"], isAnsweredForApps(method)));
    const client = all.map((method) => this.#method(method, (result) => `Promise<${result}>`));
    return [
      `${comment(doc)}export interface ${name}Handler {\n${handler.join("")}}\n`,
      `/** With \`passContext: true\`. */\nexport interface ${name}ContextHandler {\n${context.join("")}}\n`,
      `/** \`makeClient<${name}Client>(service, { endpoint })\` */\nexport interface ${name}Client {\n${client.join("")}}\n`,
    ].join("\n");
  }

  #method(
    { name, args, result, doc }: Method,
    wrap: (result: string) => string,
    first: readonly string[] = [],
    isOptional: boolean = false,
  ): string {
    const parameters = args.fields.map((field) => `${identifier(field.name)}: ${this.#type(field.type)}`);
    const given = result === undefined ? "void" : this.#type(result);
    return `${comment(doc, "  ")}  ${key(name)}${isOptional ? "?" : ""}(${[...first, ...parameters].join(", ")}): ${wrap(given)};\n`;
  }
}

/** The server answers for a handler that does not. */
function isAnsweredForApps({ name }: Method): boolean {
  return name === "is_healthy";
}

function comment(doc: string | undefined, indent = ""): string {
  if (doc === undefined) return "";
  const lines = doc.replaceAll("*/", "* /").split("\n");
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}`.trimEnd()).join("\n")}\n${indent} */\n`;
}

/** A union in an array needs parentheses. */
function wrapped(type: string): string {
  return type.includes(" | ") ? `(${type})` : type;
}

function key(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) && name !== "__proto__" ? name : JSON.stringify(name);
}

/** Parameters may not have the names of keywords. */
function identifier(name: string): string {
  return reserved.has(name) ? `${name}_` : name;
}

const reserved: ReadonlySet<string> = new Set(
  "arguments await break case catch class const continue context debugger default delete do else enum eval export extends false finally for function if implements import in instanceof interface let new null package private protected public return static super switch this throw true try typeof var void while with yield".split(
    " ",
  ),
);
