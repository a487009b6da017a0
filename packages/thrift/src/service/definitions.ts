import type { I64Mode } from "../codec/codec.ts";
import type { ExceptionClass } from "../codec/exception-class.ts";
import { constantMaker } from "../codec/values.ts";
import type { Idl, Struct } from "../idl/model.ts";
import { visibleNames } from "../idl/visible-names.ts";

/**
 * What a file defines beside its services, and what it includes; `tsserve thrift-types` writes the exact type of it.
 * An included file's names are there as the IDL writes them, `enums["shared.Colour"]`, and as `enums.Colour`
 * where no nearer file has that name.
 */
export interface AnyDefinitions {
  /** The classes of the exceptions, by name: `throw new service.exceptions.NotFound({ … })`. */
  readonly exceptions: Readonly<Record<string, ExceptionClass>>;
  /** The enums' values: `service.enums.Colour.RED`. */
  readonly enums: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** The constants' values. */
  readonly constants: Readonly<Record<string, unknown>>;
}

/** The values of what a file and its includes define. */
export function definitionsOf(idl: Idl, i64: I64Mode, exceptionClass: (struct: Struct) => ExceptionClass): AnyDefinitions {
  const exceptions = visibleNames(idl, ({ structs }) => new Map([...structs].filter(([, { kind }]) => kind === "exception")));
  return {
    exceptions: record(exceptions, exceptionClass),
    enums: record(
      visibleNames(idl, ({ enums }) => enums),
      ({ values }) => record(values, (value) => value),
    ),
    constants: record(
      visibleNames(idl, ({ constants }) => constants),
      ({ type, value }) => constantMaker(value, type, i64)(),
    ),
  };
}

/** An object without a prototype: what is not in it is `undefined`, whatever its name. */
function record<T, Value>(entries: ReadonlyMap<string, T>, valueOf: (each: T) => Value): Readonly<Record<string, Value>> {
  const made = Object.create(null) as Record<string, Value>;
  for (const [name, each] of entries) {
    Object.defineProperty(made, name, { value: valueOf(each), enumerable: true, writable: false, configurable: false });
  }
  return Object.freeze(made);
}
