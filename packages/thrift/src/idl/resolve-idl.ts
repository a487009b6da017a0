import { didYouMean } from "@tsserve/config";
import { constantOf } from "./constants.ts";
import { IdlError } from "./idl-error.ts";
import type { Constant, Enum, Field, Idl, Method, Service, Struct, Type } from "./model.ts";
import type { DefinitionSyntax, FieldSyntax, FileSyntax, FunctionSyntax, Place, TypeSyntax } from "./syntax.ts";

type Definition<K extends DefinitionSyntax["kind"]> = Extract<DefinitionSyntax, { readonly kind: K }>;
type StructSyntax = Extract<DefinitionSyntax, { readonly fields: unknown }>;

/**
 * Resolves the names of one file.
 *
 * @param includes what it includes, by the prefix of its names
 * @throws {IdlError} for a name that is not known, or is there twice; a field id that is there twice; a
 * constant that does not fit its type; what includes or extends itself
 */
export function resolveIdl(syntax: FileSyntax, includes: ReadonlyMap<string, Idl>): Idl {
  return new Resolver(syntax, includes).idl();
}

class Resolver {
  readonly #syntax: FileSyntax;
  readonly #includes: ReadonlyMap<string, Idl>;
  readonly #definitions = new Map<string, DefinitionSyntax>();
  readonly #enums = new Map<string, Enum>();
  readonly #structs = new Map<string, { readonly struct: Struct; readonly fields: Field[] }>();
  readonly #typedefs = new Map<string, Type>();
  readonly #constants = new Map<string, { readonly type: Type; readonly value: Constant }>();
  readonly #services = new Map<string, Service>();
  /** Defaults that wait until every struct has its fields: a default may be a value of any of them. */
  readonly #defaults: (() => void)[] = [];
  /** The typedefs, constants and services that are being resolved: one that is met again refers to itself. */
  readonly #open = new Set<string>();

  constructor(syntax: FileSyntax, includes: ReadonlyMap<string, Idl>) {
    this.#syntax = syntax;
    this.#includes = includes;
    for (const definition of syntax.definitions) {
      const twin = this.#definitions.get(definition.name);
      if (twin !== undefined) throw new IdlError(definition.place, `"${definition.name}" is already defined in line ${twin.place.line}`);
      this.#definitions.set(definition.name, definition);
    }
  }

  idl(): Idl {
    const of = <K extends DefinitionSyntax["kind"]>(...kinds: readonly K[]): Definition<K>[] =>
      this.#syntax.definitions.filter((definition): definition is Definition<K> => (kinds as readonly string[]).includes(definition.kind));
    for (const definition of of("enum")) this.#enums.set(definition.name, enumOf(definition));
    // Structs are there before their fields: they may refer to each other in any order.
    for (const { kind, name, doc } of of("struct", "union", "exception")) {
      const fields: Field[] = [];
      this.#structs.set(name, { struct: { kind, name, doc, fields }, fields });
    }
    for (const { name } of of("typedef")) this.#typedef(name);
    for (const definition of of("struct", "union", "exception")) this.#fillStruct(definition);
    this.#setDefaults();
    for (const definition of of("const")) this.#constant(definition);
    for (const definition of of("service")) this.#service(definition);
    this.#setDefaults();
    const structs = new Map([...this.#structs].map(([name, { struct }]) => [name, struct]));
    const { file, namespaces } = this.#syntax;
    return {
      file,
      namespaces,
      enums: this.#enums,
      structs,
      typedefs: this.#typedefs,
      constants: this.#constants,
      services: this.#services,
    };
  }

  #type(syntax: TypeSyntax): Type {
    switch (syntax.kind) {
      case "base":
        return { kind: syntax.name };
      case "list":
      case "set":
        return { kind: syntax.kind, element: this.#type(syntax.element) };
      case "map":
        return { kind: "map", key: this.#type(syntax.key), value: this.#type(syntax.value) };
      case "name":
        return this.#named(syntax.name, syntax.place);
      default:
        return syntax satisfies never;
    }
  }

  #named(name: string, place: Place): Type {
    const { idl, rest } = this.#included(name);
    const type = idl === undefined ? this.#local(name, place) : typeOf(idl, rest);
    if (type !== undefined) return type;
    const known = idl === undefined ? [...this.#definitions.keys()] : [...idl.enums.keys(), ...idl.structs.keys(), ...idl.typedefs.keys()];
    throw new IdlError(place, `the type "${name}" is not known${didYouMean(rest, known)}`);
  }

  #local(name: string, place: Place): Type | undefined {
    const found = this.#enums.get(name);
    if (found !== undefined) return { kind: "enum", enum: found };
    const struct = this.#structs.get(name);
    if (struct !== undefined) return { kind: "struct", struct: struct.struct };
    return this.#definitions.get(name)?.kind === "typedef" ? this.#typedef(name, place) : undefined;
  }

  #typedef(name: string, place?: Place): Type {
    const known = this.#typedefs.get(name);
    if (known !== undefined) return known;
    const definition = this.#definitions.get(name) as Definition<"typedef">;
    return this.#once(name, place ?? definition.place, () => {
      const type = this.#type(definition.type);
      this.#typedefs.set(name, type);
      return type;
    });
  }

  #fillStruct(definition: StructSyntax): void {
    const { fields } = this.#structs.get(definition.name) ?? {};
    fields?.push(...this.#fields(definition.fields, definition.kind === "union"));
  }

  #fields(syntaxes: readonly FieldSyntax[], ofUnion = false): Field[] {
    const ids = new Map<number, string>();
    const names = new Set<string>();
    let nextOwn = -1;
    return syntaxes.map((syntax) => {
      const { name, place, doc } = syntax;
      const id = syntax.id ?? nextOwn--;
      const twin = ids.get(id);
      if (twin !== undefined) throw new IdlError(place, `the id ${id} of "${name}" is already that of "${twin}"`);
      if (names.has(name)) throw new IdlError(place, `there are two fields "${name}"`);
      ids.set(id, name);
      names.add(name);
      const type = this.#type(syntax.type);
      const field: { -readonly [K in keyof Field]: Field[K] } = {
        id,
        name,
        type,
        requiredness: ofUnion ? "optional" : syntax.requiredness,
        defaultValue: undefined,
        doc,
      };
      const { defaultValue } = syntax;
      if (defaultValue !== undefined) {
        this.#defaults.push(() => (field.defaultValue = constantOf(defaultValue, type, (each, at) => this.#constantNamed(each, at))));
      }
      return field;
    });
  }

  #setDefaults(): void {
    for (const set of this.#defaults.splice(0)) set();
  }

  #constant({ name, type: typeSyntax, value: valueSyntax, place }: Definition<"const">): Constant {
    const known = this.#constants.get(name);
    if (known !== undefined) return known.value;
    return this.#once(name, place, () => {
      const type = this.#type(typeSyntax);
      const value = constantOf(valueSyntax, type, (each, at) => this.#constantNamed(each, at));
      this.#constants.set(name, { type, value });
      return value;
    });
  }

  /** `NAME`, `Enum.NAME`, or either of an include. */
  #constantNamed(name: string, place: Place): Constant {
    const { idl, rest } = this.#included(name);
    const definition = idl === undefined ? this.#definitions.get(name) : undefined;
    if (definition?.kind === "const") return this.#constant(definition);
    const [enumName = "", member = ""] = rest.split(".");
    const value = idl?.constants.get(rest)?.value ?? enumValue((idl?.enums ?? this.#enums).get(enumName), member);
    if (value === undefined) throw new IdlError(place, `the constant "${name}" is not known`);
    return value;
  }

  #service(definition: Definition<"service">): Service {
    const known = this.#services.get(definition.name);
    if (known !== undefined) return known;
    return this.#once(definition.name, definition.place, () => {
      const { name, doc, place, base } = definition;
      const methods = new Map<string, Method>(base === undefined ? [] : this.#serviceNamed(base, place).methods);
      const own = new Set<string>();
      for (const each of definition.functions) {
        if (own.has(each.name)) throw new IdlError(each.place, `the service ${name} has two methods "${each.name}"`);
        own.add(each.name);
        methods.set(each.name, this.#method(each));
      }
      const service: Service = { name, doc, methods };
      this.#services.set(name, service);
      return service;
    });
  }

  #serviceNamed(name: string, place: Place): Service {
    const { idl, rest } = this.#included(name);
    const definition = this.#definitions.get(name);
    const service = idl === undefined ? definition?.kind === "service" && this.#service(definition) : idl.services.get(rest);
    if (service) return service;
    const known =
      idl === undefined
        ? this.#syntax.definitions.filter(({ kind }) => kind === "service").map((each) => each.name)
        : [...idl.services.keys()];
    throw new IdlError(place, `the service "${name}" is not known${didYouMean(rest, known)}`);
  }

  #method({ name, oneway, returns, args, throws, doc }: FunctionSyntax): Method {
    const declared = this.#fields(throws);
    for (const [index, { type }] of declared.entries()) {
      if (type.kind === "struct" && type.struct.kind === "exception") continue;
      throw new IdlError(throws[index]?.place as Place, `${name} may throw exceptions only, and "${declared[index]?.name}" is none`);
    }
    return {
      name,
      oneway,
      args: { kind: "struct", name: `${name}_args`, fields: this.#fields(args), doc: undefined },
      result: returns && this.#type(returns),
      throws: declared,
      doc,
    };
  }

  /** The include that a dotted name begins with, unless this file has the name itself, as in `Colour.RED`. */
  #included(name: string): { readonly idl: Idl | undefined; readonly rest: string } {
    const dot = name.indexOf(".");
    const prefix = name.slice(0, Math.max(dot, 0));
    const idl = dot === -1 || this.#definitions.has(prefix) ? undefined : this.#includes.get(prefix);
    return { idl, rest: idl === undefined ? name : name.slice(dot + 1) };
  }

  #once<T>(name: string, place: Place, resolve: () => T): T {
    if (this.#open.has(name)) throw new IdlError(place, `"${name}" refers to itself`);
    this.#open.add(name);
    const resolved = resolve();
    this.#open.delete(name);
    return resolved;
  }
}

function enumOf({ name, doc, members }: Definition<"enum">): Enum {
  const values = new Map<string, number>();
  let next = 0;
  for (const member of members) {
    if (values.has(member.name)) throw new IdlError(member.place, `the enum ${name} has two "${member.name}"`);
    const value = member.value ?? next;
    values.set(member.name, value);
    next = value + 1;
  }
  return { name, values, doc };
}

function enumValue(found: Enum | undefined, member: string): Constant | undefined {
  const value = found?.values.get(member);
  return value === undefined ? undefined : { kind: "number", value };
}

function typeOf(idl: Idl, name: string): Type | undefined {
  const found = idl.enums.get(name);
  const struct = idl.structs.get(name);
  if (found !== undefined) return { kind: "enum", enum: found };
  return struct === undefined ? idl.typedefs.get(name) : { kind: "struct", struct };
}
