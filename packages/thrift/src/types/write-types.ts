import type { I64Mode } from "../codec/codec.ts";
import { inheritedNames } from "../codec/fields.ts";
import type { Enum, Field, Idl, Method, Service, Struct, Type } from "../idl/model.ts";
import { visibleNames } from "../idl/visible-names.ts";
import { ModuleNames } from "./module-names.ts";
import { memberName, Names, reservedParameterNames } from "./names.ts";

/** What apps import from. */
const appPackage = "tsserve/thrift";

/**
 * The TypeScript types of a .thrift file: an interface for each struct, a type for each enum and exception, and for
 * each service what its handler and its client look like. What the file includes is written along, once.
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
  readonly #names: ModuleNames;
  readonly #structs = new Set<Struct>();
  readonly #enums = new Set<Enum>();

  constructor(idl: Idl, i64: I64Mode) {
    this.#idl = idl;
    this.#i64 = i64;
    this.#names = new ModuleNames(idl);
  }

  text(): string {
    for (const struct of this.#idl.structs.values()) this.#structs.add(struct);
    for (const each of this.#idl.enums.values()) this.#enums.add(each);
    const services = [...this.#idl.services.values()].map((service) => this.#service(service));
    const definitions = this.#definitions();
    // Structs refer to structs: writing one may add another behind it.
    const structs: string[] = [];
    for (const struct of this.#structs) structs.push(this.#struct(struct));
    const enums = [...this.#enums].map((each) => this.#enum(each));
    return [this.#head(services.length > 0), ...enums, ...structs, definitions, ...services].join("\n");
  }

  #head(hasServices: boolean): string {
    const head = `// Written by \`tsserve thrift-types\` from ${this.#fileName()}: change that file, not this one.\n`;
    const { context } = this.#names;
    const imported = context === "ThriftContext" ? context : `ThriftContext as ${context}`;
    return hasServices ? `${head}import type { ${imported} } from "${appPackage}";\n` : head;
  }

  #fileName(): string {
    // Where it can end neither a line nor a comment.
    return (this.#idl.file.split("/").at(-1) ?? "").replaceAll(/[^\w.-]/g, "_");
  }

  /** What a loaded service has beside its methods. */
  #definitions(): string {
    const exceptions = visibleNames(this.#idl, ({ structs }) => new Map([...structs].filter(([, { kind }]) => kind === "exception")));
    const enums = visibleNames(this.#idl, (idl) => idl.enums);
    const constants = visibleNames(this.#idl, (idl) => idl.constants);
    const members = <T>(all: ReadonlyMap<string, T>, typeOf: (each: T) => string): string => {
      const lines = [...all].map(([name, each]) => `    readonly ${memberName(name)}: ${typeOf(each)};\n`);
      return lines.length === 0 ? "{}" : `{\n${lines.join("")}  }`;
    };
    return [
      `/** \`loadService<${this.#names.definitions}>("./${this.#fileName()}", …)\` */`,
      `export interface ${this.#names.definitions} {`,
      `  readonly exceptions: ${members(exceptions, (struct) => this.#classOf(struct))};`,
      `  readonly enums: ${members(enums, (each) => this.#valuesOf(each))};`,
      `  readonly constants: ${members(constants, ({ type }) => this.#type(type))};`,
      "}\n",
    ].join("\n");
  }

  #classOf(struct: Struct): string {
    this.#structs.add(struct);
    return `new (fields?: ${this.#names.companion(struct)}) => ${this.#names.type(struct)}`;
  }

  #valuesOf(each: Enum): string {
    this.#enums.add(each);
    return this.#names.companion(each);
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
        return this.#names.global("Buffer");
      case "list":
        return `${this.#type(type.element)}[]`;
      case "set":
        return `${this.#names.global("Set")}<${this.#type(type.element)}>`;
      case "map":
        return `${this.#names.global("Map")}<${this.#type(type.key)}, ${this.#type(type.value)}>`;
      case "enum":
        this.#enums.add(type.enum);
        return this.#names.type(type.enum);
      case "struct":
        this.#structs.add(type.struct);
        return this.#names.type(type.struct);
      default:
        return type satisfies never;
    }
  }

  #enum(each: Enum): string {
    const { name, values, doc } = each;
    const [type, companion] = [this.#names.type(each), this.#names.companion(each)];
    const members = [...values].map(([member, value]) => `  readonly ${memberName(member)}: ${value};\n`).join("");
    const union = [...new Set(values.values())].join(" | ") || "never";
    return `${comment(doc)}export type ${type} = ${union};\n/** The values of \`${type}\`, as \`service.enums.${name}\` has them. */\nexport interface ${companion} {\n${members}}\n`;
  }

  #struct(struct: Struct): string {
    const name = this.#names.type(struct);
    const doc = comment(struct.doc);
    if (struct.kind === "union") return `${doc}export type ${name} =${this.#branches(struct)};\n`;
    const fields = struct.fields.map((field) => this.#field(field)).join("");
    if (struct.kind === "struct") return `${doc}export interface ${name} {\n${fields}}\n`;
    const companion = this.#names.companion(struct);
    return `${doc}export interface ${companion} {\n${fields}}\n/** Thrown as \`new service.exceptions.${struct.name}({ … })\`. */\nexport type ${name} = ${this.#errorFor(struct)} & ${companion};\n`;
  }

  /** One branch for each field: the other fields are not there. */
  #branches({ fields }: Struct): string {
    if (fields.length === 0) return " never";
    const branches = fields.map((field) => {
      // What every object has can't be said not to be there.
      const others = fields
        .filter((each) => each !== field && !inheritedNames.has(each.name))
        .map((each) => `${memberName(each.name)}?: undefined`);
      return `  | { ${[`${memberName(field.name)}: ${this.#type(field.type)}`, ...others].join("; ")} }`;
    });
    return `\n${branches.join("\n")}`;
  }

  /** What an exception has of `Error`: a field of the same name takes the place of the property, where it may be no text. */
  #errorFor({ fields }: Struct): string {
    const error = this.#names.global("Error");
    const own = fields.filter(
      (field) =>
        field.name === "cause" ||
        (["name", "message", "stack"].includes(field.name) && (!["string", "uuid"].includes(field.type.kind) || isOptional(field))),
    );
    if (own.length === 0) return error;
    return `${this.#names.global("Omit")}<${error}, ${own.map(({ name }) => JSON.stringify(name)).join(" | ")}>`;
  }

  #field(field: Field): string {
    const type = this.#type(field.type);
    const member = isOptional(field) ? `${memberName(field.name)}?: ${type} | undefined` : `${memberName(field.name)}: ${type}`;
    return `${comment(field.doc, "  ")}  ${member};\n`;
  }

  #service(service: Service): string {
    const all = [...service.methods.values()];
    const { handler, contextHandler, client } = this.#names.service(service);
    const promise = this.#names.global("Promise");
    const given = (result: string): string => `${result} | ${promise}<${result}>`;
    const methods = (wrap: (result: string) => string, hasContext: boolean, isAnswered: (method: Method) => boolean): string =>
      all.map((method) => this.#method(method, wrap, hasContext, isAnswered(method))).join("");
    return [
      `${comment(service.doc)}export interface ${handler} {\n${methods(given, false, isAnsweredForApps)}}\n`,
      `/** With \`passContext: true\`. */\nexport interface ${contextHandler} {\n${methods(given, true, isAnsweredForApps)}}\n`,
      `/** \`makeClient<${client}>(service, { endpoint })\` */\nexport interface ${client} {\n${methods(
        (result) => `${promise}<${result}>`,
        false,
        () => false,
      )}}\n`,
    ].join("\n");
  }

  #method({ name, args, result, doc }: Method, wrap: (result: string) => string, hasContext: boolean, isAnswered: boolean): string {
    const taken = new Names(reservedParameterNames);
    const own = args.fields.map((field) => `${taken.take(field.name)}: ${this.#type(field.type)}`);
    const context = hasContext ? [`${taken.take("context")}: ${this.#names.context}`] : [];
    const given = result === undefined ? "void" : this.#type(result);
    return `${comment(doc, "  ")}  ${memberName(name)}${isAnswered ? "?" : ""}(${[...context, ...own].join(", ")}): ${wrap(given)};\n`;
  }
}

/** Without a default and not required, a field of another writer may be missing. */
function isOptional({ requiredness, defaultValue }: Field): boolean {
  return requiredness === "optional" || (requiredness === "default" && defaultValue === undefined);
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
