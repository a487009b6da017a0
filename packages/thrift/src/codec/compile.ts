import type { Field, Method, Service, Struct, Type } from "../idl/model.ts";
import { bigintOf, split, splitI64 } from "../protocol/int64.ts";
import { tooDeep, UnderrunError } from "../protocol/reading.ts";
import { ProtocolError } from "../wire/protocol-error.ts";
import type { ProtocolName } from "../wire/types.ts";
import type { I64Mode, MethodCodec } from "./codec.ts";
import { binaryEmitter } from "./emit-binary.ts";
import { compactEmitter } from "./emit-compact.ts";
import { isThere, wrong, type EmitContext, type EmittedField, type Emitter } from "./emit.ts";
import type { ExceptionClass } from "./exception-class.ts";
import { inheritedNames } from "./fields.ts";
import { missingResult } from "./missing-result.ts";
import { arrayOf, byId, checkUnion, constantMaker, describeType, mapOf, missingField, safeNumber, wrongValue } from "./values.ts";

export interface CodecOptions {
  readonly i64: I64Mode;
  /** The class of each declared exception. */
  readonly exceptionClass: (struct: Struct) => ExceptionClass;
}

/** What the text of the codecs refers to. */
const helpers = {
  bigintOf,
  split,
  splitI64,
  tooDeep,
  safeNumber,
  arrayOf,
  mapOf,
  missingField,
  missingResult,
  wrongValue,
  checkUnion,
  underrun: (what: string): UnderrunError => new UnderrunError(what),
  elementTypes: (kind: string, ...found: number[]): ProtocolError =>
    new ProtocolError(`a ${kind} has elements of other types (${found.join(", ")}) than the IDL says`),
};

/** Whether functions may be made of text here: not under `--disallow-code-generation-from-strings`. */
export function canCompile(): boolean {
  try {
    // oxlint-disable-next-line typescript/no-implied-eval -- asks whether it may
    return (new Function("return true") as () => boolean)();
  } catch {
    return false;
  }
}

/**
 * Makes the codecs of a service in one protocol: JavaScript that is specialised to its structs, written once.
 * Names of the IDL get into it as JSON strings only.
 */
export function compileCodecs(service: Service, protocol: ProtocolName, options: CodecOptions): ReadonlyMap<string, MethodCodec> {
  const compilation = new Compilation(protocol, options);
  const methods = [...service.methods.values()].map((method) => compilation.method(method));
  const text = `"use strict";
const { ${Object.keys(helpers).join(", ")} } = helpers;
${compilation.text()}
return [${methods.join(",\n")}];`;
  // oxlint-disable-next-line typescript/no-implied-eval -- what the codecs are
  const make = new Function("helpers", "values", text) as (helpers: object, values: readonly unknown[]) => MethodCodec[];
  const codecs = make(helpers, compilation.values);
  return new Map([...service.methods.keys()].map((name, index) => [name, codecs[index] as MethodCodec]));
}

class Compilation {
  /** Objects that the text refers to by their index. */
  readonly values: unknown[] = [];
  readonly #functions: string[] = [];
  readonly #names = new Map<Struct, string>();
  readonly #pending: (() => void)[] = [];
  readonly #options: CodecOptions;
  readonly #emitter: Emitter;
  #count = 0;

  constructor(protocol: ProtocolName, options: CodecOptions) {
    this.#options = options;
    const context: EmitContext = {
      structFunction: ({ struct }, direction) => `${direction}${this.#struct(struct)}`,
      fresh: (prefix) => this.#fresh(prefix),
      i64: options.i64,
    };
    this.#emitter = protocol === "binary" ? binaryEmitter(context) : compactEmitter(context);
  }

  text(): string {
    // Structs refer to structs: writing one may ask for another.
    for (let next = this.#pending.pop(); next !== undefined; next = this.#pending.pop()) next();
    return this.#functions.join("\n");
  }

  /** The text of a MethodCodec. */
  method(method: Method): string {
    return `{
      ${this.#call(method)},
      ${this.#writeArguments(method)},
      ${this.#writeResult(method)},
      ${this.#writeError(method)},
      ${this.#readResult(method)},
    }`;
  }

  #call({ args }: Method): string {
    const fields = this.#emitted(args.fields, args.name);
    const values = fields.map(({ variable }) => variable);
    return `call(r, callee, self, context) {
      ${this.#read(args.fields, fields, args.name)}
      return context === undefined ? callee.call(${["self", ...values].join(", ")}) : callee.call(${["self", "context", ...values].join(", ")});
    }`;
  }

  #writeArguments({ args }: Method): string {
    const fields = this.#emitted(args.fields, args.name);
    return `writeArguments(w, all) {
      ${fields.map(({ variable }, index) => `let ${variable} = all[${index}];`).join(" ")}
      ${this.#write(args.fields, fields)}
    }`;
  }

  #writeResult({ name, result }: Method): string {
    if (result === undefined) return `writeResult(w) { let b = w.bytes, v = w.view, p = w.position; ${this.#emitter.writeFields([])} }`;
    const path = `the result of ${name}`;
    return `writeResult(w, value) {
      if (!(${isThere("value")})) ${wrong(path, describeType(result), "value")};
      let b = w.bytes, v = w.view, p = w.position;
      ${this.#emitter.writeFields([{ id: 0, type: result, variable: "value", path }])}
    }`;
  }

  #writeError({ throws }: Method): string {
    const branches = throws.map(({ id, name, type }) => {
      const variable = this.#fresh("v");
      return `if (error instanceof ${this.#value(this.#exceptionClass(type))}) {
        const ${variable} = error;
        let b = w.bytes, v = w.view, p = w.position;
        ${this.#emitter.writeFields([{ id, type, variable, path: name }])}
        return true;
      }`;
    });
    return `writeError(w, error) { ${branches.join("\n")} return false; }`;
  }

  #readResult({ name, result, throws }: Method): string {
    const success: readonly Field[] =
      result === undefined
        ? []
        : [{ id: 0, name: "success", type: result, requiredness: "optional", defaultValue: undefined, doc: undefined }];
    const all = [...success, ...throws];
    const fields = this.#emitted(all, name);
    const outcome = fields
      .map(({ variable, id }) => `if (${variable} !== undefined) ${id === 0 ? "return" : "throw"} ${variable};`)
      .reverse();
    return `readResult(r) {
      ${this.#read([], fields, name)}
      ${outcome.join("\n")}
      ${result === undefined ? "" : `throw missingResult(${JSON.stringify(name)});`}
    }`;
  }

  /** The number that the functions of a struct have in their names; they are written when all else is. */
  #struct(struct: Struct): string {
    const known = this.#names.get(struct);
    if (known !== undefined) return known;
    const name = String(this.#names.size);
    this.#names.set(struct, name);
    this.#pending.push(() => this.#functions.push(this.#readFunction(struct, name), this.#writeFunction(struct, name)));
    return name;
  }

  #readFunction(struct: Struct, name: string): string {
    const fields = this.#emitted(struct.fields, struct.name);
    const properties = struct.fields.map((field, index) => `${property(field.name)}: ${fields[index]?.variable}`);
    const object = `{ ${properties.join(", ")} }`;
    const made = struct.kind === "exception" ? `new ${this.#value(this.#options.exceptionClass(struct))}(${object})` : object;
    return `function read${name}(r) {
      ${this.#read(struct.fields, fields, struct.name)}
      return ${made};
    }`;
  }

  #writeFunction(struct: Struct, name: string): string {
    const fields = this.#emitted(struct.fields, struct.name);
    const taken = struct.fields.map((field, index) => `let ${fields[index]?.variable} = ${propertyOf("o", field.name)};`);
    return `function write${name}(w, o) {
      ${struct.kind === "union" ? `checkUnion(${this.#value(struct)}, o);` : ""}
      ${taken.join("\n")}
      ${this.#write(struct.fields, fields)}
    }`;
  }

  /** Statements that read a struct's fields into variables: defaults in place of what is not there. */
  #read(fields: readonly Field[], emitted: readonly EmittedField[], name: string): string {
    const absent = fields.map((field, index) => {
      const { variable, path } = emitted[index] as EmittedField;
      if (field.defaultValue !== undefined) return `if (${variable} === undefined) ${variable} = ${this.#default(field)};`;
      return field.requiredness === "required" ? `if (${variable} === undefined) missingField(${JSON.stringify(path)});` : "";
    });
    return `
      if (++r.depth > r.limits.maxDepth) throw tooDeep(r.limits);
      const b = r.bytes, v = r.view, e = r.end; let p = r.position; // ${name.replaceAll(/\W/g, "")}
      ${emitted.length === 0 ? "" : `let ${emitted.map(({ variable }) => variable).join(", ")};`}
      ${this.#emitter.readFields(byId(emitted))}
      r.depth -= 1;
      ${absent.join("\n")}`;
  }

  /** Statements that write a struct's fields from variables. */
  #write(fields: readonly Field[], emitted: readonly EmittedField[]): string {
    const absent = fields.map((field, index) => {
      const { variable, path, type } = emitted[index] as EmittedField;
      const missing = `!(${isThere(variable)})`;
      if (field.defaultValue !== undefined && field.requiredness !== "optional")
        return `if (${missing}) ${variable} = ${this.#default(field)};`;
      return field.requiredness === "required" ? `if (${missing}) ${wrong(path, describeType(type), variable)};` : "";
    });
    return `
      ${absent.join("\n")}
      let b = w.bytes, v = w.view, p = w.position;
      ${this.#emitter.writeFields(byId(emitted))}`;
  }

  #emitted(fields: readonly Field[], owner: string): readonly EmittedField[] {
    return fields.map(({ id, name, type }) => ({ id, type, variable: this.#fresh("v"), path: `${owner}.${name}` }));
  }

  #default({ defaultValue, type }: Field): string {
    if (defaultValue === undefined) return "undefined";
    return `${this.#value(constantMaker(defaultValue, type, this.#options.i64))}()`;
  }

  #exceptionClass(type: Type): ExceptionClass {
    return this.#options.exceptionClass((type as Extract<Type, { kind: "struct" }>).struct);
  }

  #value(value: unknown): string {
    const known = this.values.indexOf(value);
    return `values[${known === -1 ? this.values.push(value) - 1 : known}]`;
  }

  #fresh(prefix: string): string {
    return `${prefix}${this.#count++}`;
  }
}

/** The value of a field; what every object inherits is none. */
function propertyOf(object: string, name: string): string {
  const key = JSON.stringify(name);
  return inheritedNames.has(name) ? `(Object.hasOwn(${object}, ${key}) ? ${object}[${key}] : undefined)` : `${object}[${key}]`;
}

/** A property of an object literal: `__proto__` without brackets would set the prototype. */
function property(name: string): string {
  return name === "__proto__" ? '["__proto__"]' : JSON.stringify(name);
}
