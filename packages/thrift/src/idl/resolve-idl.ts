import { didYouMean } from "@tsserve/config";
import { constantOf, type ConstantScope } from "./constants.ts";
import { IdlError, UnknownNameError } from "./idl-error.ts";
import type { Constant, Enum, Field, Idl, Include, Method, MissingInclude, Service, Struct, Type } from "./model.ts";
import type { DefinitionSyntax, FieldSyntax, FileSyntax, FunctionSyntax, Place, Requiredness, TypeSyntax } from "./syntax.ts";

type Definition<K extends DefinitionSyntax["kind"]> = Extract<DefinitionSyntax, { readonly kind: K }>;
type StructSyntax = Extract<DefinitionSyntax, { readonly fields: unknown }>;

/**
 * Resolves the names of one file.
 *
 * @param files what it includes, and what of that is not there
 * @param identity the file's real name, by which what it defines is told from what others define
 * @throws {IdlError} for a name that is not known, or is there twice; a field id that is there twice; a
 * constant that is of another type; what includes or extends itself
 */
export function resolveIdl(syntax: FileSyntax, files: IncludedFiles, identity: string): Idl {
  return new Resolver(syntax, files, identity).idl();
}

interface IncludedFiles {
  readonly includes: readonly Include[];
  readonly missing: readonly MissingInclude[];
}

class Resolver {
  readonly #syntax: FileSyntax;
  readonly #includes: readonly Include[];
  readonly #missing: readonly MissingInclude[];
  readonly #identity: string;
  /** Types and services, which share their names. */
  readonly #definitions = new Map<string, DefinitionSyntax>();
  /** Constants, whose names are their own: a struct may have the same. */
  readonly #constantDefinitions = new Map<string, Definition<"const">>();
  readonly #enums = new Map<string, Enum>();
  readonly #structs = new Map<string, { readonly struct: Struct; readonly fields: Field[] }>();
  readonly #typedefs = new Map<string, Type>();
  readonly #unresolved = new Map<string, IdlError>();
  readonly #constants = new Map<string, { readonly type: Type; readonly value: Constant }>();
  readonly #services = new Map<string, Service>();
  /** Defaults that wait until every struct has its fields: a default may be a value of any of them. */
  readonly #defaults: (() => void)[] = [];
  /** The typedefs, constants and services that are being resolved: one that is met again refers to itself. */
  readonly #open = new Set<string>();
  readonly #warnings: IdlError[];
  readonly #scope: ConstantScope = {
    constantNamed: (name, place) => this.#constantNamed(name, place),
    warn: (place, message) => this.#warnings.push(new IdlError(place, message)),
  };

  constructor(syntax: FileSyntax, { includes, missing }: IncludedFiles, identity: string) {
    this.#syntax = syntax;
    this.#includes = includes;
    this.#missing = missing;
    this.#warnings = missing.map(({ place, problem }) => new IdlError(place, problem));
    this.#identity = identity;
    for (const definition of syntax.definitions) {
      const { name, place } = definition;
      const twin = (definition.kind === "const" ? this.#constantDefinitions : this.#definitions).get(name);
      if (twin !== undefined) throw new IdlError(place, `"${name}" is already defined in line ${twin.place.line}`);
      if (definition.kind === "const") this.#constantDefinitions.set(name, definition);
      else this.#definitions.set(name, definition);
    }
  }

  idl(): Idl {
    const of = <K extends DefinitionSyntax["kind"]>(...kinds: readonly K[]): Definition<K>[] =>
      this.#syntax.definitions.filter((definition): definition is Definition<K> => (kinds as readonly string[]).includes(definition.kind));
    for (const definition of of("enum")) this.#enums.set(definition.name, enumOf(definition, this.#identity));
    // Structs are there before their fields: they may refer to each other in any order.
    for (const { kind, name, doc } of of("struct", "union", "exception")) {
      const fields: Field[] = [];
      this.#structs.set(name, { struct: { kind, name, file: this.#identity, doc, fields }, fields });
    }
    for (const { name } of of("typedef")) this.#tryTypedef(name);
    for (const definition of of("struct", "union", "exception")) this.#fillStruct(definition);
    this.#setDefaults();
    for (const definition of of("const")) this.#constant(definition);
    for (const definition of of("service")) this.#service(definition);
    this.#setDefaults();
    const structs = new Map([...this.#structs].map(([name, { struct }]) => [name, struct]));
    const { file, namespaces } = this.#syntax;
    return {
      file,
      includes: this.#includes,
      namespaces,
      enums: this.#enums,
      structs,
      typedefs: this.#typedefs,
      unresolved: this.#unresolved,
      constants: this.#constants,
      services: this.#services,
      warnings: this.#warnings,
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
    const type = this.#local(name, place) ?? this.#fromIncludes(name, typeOf);
    if (type !== undefined) return type;
    // The "string list" of former compilers, which was a text.
    if (name === "slist") return { kind: "string" };
    const known = (idl: Idl): string[] => [...idl.enums.keys(), ...idl.structs.keys(), ...idl.typedefs.keys()];
    throw this.#unknown("type", name, place, this.#guess(name, known));
  }

  #local(name: string, place: Place): Type | undefined {
    const found = this.#enums.get(name);
    if (found !== undefined) return { kind: "enum", enum: found };
    const struct = this.#structs.get(name);
    if (struct !== undefined) return { kind: "struct", struct: struct.struct };
    return this.#definitions.get(name)?.kind === "typedef" ? this.#typedef(name, place) : undefined;
  }

  /** What no file defines may have a name of its own here, as for Apache's compiler, as long as nobody uses that name. */
  #tryTypedef(name: string): void {
    try {
      this.#typedef(name);
    } catch (error) {
      if (!(error instanceof UnknownNameError)) throw error;
      this.#unresolved.set(name, error);
      this.#warnings.push(error);
    }
  }

  #typedef(name: string, place?: Place): Type {
    const known = this.#typedefs.get(name);
    if (known !== undefined) return known;
    const definition = this.#definitions.get(name) as Definition<"typedef">;
    return this.#once(`type ${name}`, name, place ?? definition.place, () => {
      const type = this.#type(definition.type);
      this.#typedefs.set(name, type);
      return type;
    });
  }

  #fillStruct(definition: StructSyntax): void {
    const { fields } = this.#structs.get(definition.name) ?? {};
    fields?.push(...this.#fields(definition.fields, definition.kind === "union" ? "optional" : undefined));
  }

  /** @param forced what all have, whatever is written */
  #fields(syntaxes: readonly FieldSyntax[], forced?: Requiredness): Field[] {
    const ids = new Map<number, string>();
    const names = new Set<string>();
    let nextOwn = -1;
    return syntaxes.map((syntax) => {
      const { name, place, doc } = syntax;
      const id = syntax.id === undefined ? nextOwn-- : this.#fieldId(syntax.id, place);
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
        requiredness: forced ?? syntax.requiredness,
        defaultValue: undefined,
        doc,
      };
      const { defaultValue } = syntax;
      if (defaultValue !== undefined) {
        this.#defaults.push(() => (field.defaultValue = constantOf(defaultValue, type, this.#scope)));
      }
      return field;
    });
  }

  /** On the wire an id has 16 bits; of one that has more, Apache's compiler warns, and what it makes of it sends these. */
  #fieldId(written: number, place: Place): number {
    const id = (written << 16) >> 16;
    if (id !== written) this.#scope.warn(place, `a field id is one of -32768 to 32767, found ${written}: it is ${id} on the wire`);
    return id;
  }

  #setDefaults(): void {
    for (const set of this.#defaults.splice(0)) set();
  }

  #constant({ name, type: typeSyntax, value: valueSyntax, place }: Definition<"const">): Constant {
    const known = this.#constants.get(name);
    if (known !== undefined) return known.value;
    return this.#once(`const ${name}`, name, place, () => {
      const type = this.#type(typeSyntax);
      const value = constantOf(valueSyntax, type, this.#scope);
      this.#constants.set(name, { type, value });
      return value;
    });
  }

  /** `NAME`, `Enum.NAME`, or either of an include. */
  #constantNamed(name: string, place: Place): Constant {
    const own = this.#constantDefinitions.get(name);
    if (own !== undefined) return this.#constant(own);
    const value = enumMember(this.#enums, name) ?? this.#fromIncludes(name, constantNamed);
    if (value !== undefined) return value;
    const known = (idl: Idl): string[] => [...idl.constants.keys()];
    throw this.#unknown("constant", name, place, this.#guess(name, known, [...this.#constantDefinitions.keys()]));
  }

  #service(definition: Definition<"service">): Service {
    const known = this.#services.get(definition.name);
    if (known !== undefined) return known;
    return this.#once(`service ${definition.name}`, definition.name, definition.place, () => {
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
    const definition = this.#definitions.get(name);
    const service =
      definition?.kind === "service" ? this.#service(definition) : this.#fromIncludes(name, (idl, rest) => idl.services.get(rest));
    if (service !== undefined) return service;
    const own = this.#syntax.definitions.filter(({ kind }) => kind === "service").map((each) => each.name);
    throw this.#unknown(
      "service",
      name,
      place,
      this.#guess(name, (idl) => [...idl.services.keys()], own),
    );
  }

  #method({ name, oneway, returns, args, throws, doc }: FunctionSyntax): Method {
    const declared = this.#fields(throws);
    // Arguments are never optional, whatever is written (Apache's compiler: "optional keyword is ignored in argument lists").
    const given = args.map((each): FieldSyntax => (each.requiredness === "optional" ? { ...each, requiredness: "default" } : each));
    for (const [index, { type }] of declared.entries()) {
      if (type.kind === "struct" && type.struct.kind === "exception") continue;
      throw new IdlError(throws[index]?.place as Place, `${name} may throw exceptions only, and "${declared[index]?.name}" is none`);
    }
    return {
      name,
      oneway,
      args: { kind: "struct", name: `${name}_args`, file: this.#identity, fields: this.#fields(given), doc: undefined },
      result: returns && this.#type(returns),
      throws: declared,
      doc,
    };
  }

  /**
   * What a dotted name means in a file that is included. A prefix may have dots of its own, and belong to several
   * files: the one that is included last is asked first, as Apache's compiler does.
   */
  #fromIncludes<T>(name: string, find: (idl: Idl, rest: string) => T | undefined): T | undefined {
    for (const { prefix, idl } of this.#includes.toReversed()) {
      const found = name.startsWith(`${prefix}.`) ? find(idl, name.slice(prefix.length + 1)) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #unknown(what: string, name: string, place: Place, guess: string): IdlError {
    const missing = this.#missing.find(({ prefix }) => name.startsWith(`${prefix}.`));
    if (missing === undefined) return new UnknownNameError(place, `the ${what} "${name}" is not known${guess}`);
    return new UnknownNameError(missing.place, `${missing.problem}, and line ${place.line} uses the ${what} "${name}" of it`);
  }

  /** The name that was meant, among those of the included file that the prefix names, or of this one. */
  #guess(name: string, namesOf: (idl: Idl) => readonly string[], own: readonly string[] = [...this.#definitions.keys()]): string {
    const included = this.#includes.filter(({ prefix }) => name.startsWith(`${prefix}.`));
    if (included.length === 0) return didYouMean(name, own);
    const rest = name.slice((included[0]?.prefix.length ?? 0) + 1);
    return didYouMean(
      rest,
      included.flatMap(({ idl }) => namesOf(idl)),
    );
  }

  #once<T>(key: string, name: string, place: Place, resolve: () => T): T {
    if (this.#open.has(key)) throw new IdlError(place, `"${name}" refers to itself`);
    this.#open.add(key);
    try {
      return resolve();
    } finally {
      this.#open.delete(key);
    }
  }
}

function enumOf({ name, doc, members }: Definition<"enum">, file: string): Enum {
  const values = new Map<string, number>();
  let next = 0;
  for (const member of members) {
    if (values.has(member.name)) throw new IdlError(member.place, `the enum ${name} has two "${member.name}"`);
    const value = member.value ?? next;
    values.set(member.name, value);
    next = value + 1;
  }
  return { name, file, values, doc };
}

/** `Enum.NAME` */
function enumMember(enums: ReadonlyMap<string, Enum>, name: string): Constant | undefined {
  const dot = name.indexOf(".");
  const value = dot === -1 ? undefined : enums.get(name.slice(0, dot))?.values.get(name.slice(dot + 1));
  return value === undefined ? undefined : { kind: "number", value };
}

function constantNamed(idl: Idl, name: string): Constant | undefined {
  return idl.constants.get(name)?.value ?? enumMember(idl.enums, name);
}

function typeOf(idl: Idl, name: string): Type | undefined {
  const unresolved = idl.unresolved.get(name);
  if (unresolved !== undefined) throw unresolved;
  const found = idl.enums.get(name);
  const struct = idl.structs.get(name);
  if (found !== undefined) return { kind: "enum", enum: found };
  return struct === undefined ? idl.typedefs.get(name) : { kind: "struct", struct };
}
