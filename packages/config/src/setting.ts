import { absent, inherited, isReader, read, readSpec, type Parser, type Reader, type Spec } from "./spec.ts";

/** What the reference pages and `app.example.ini` say of a setting. */
export interface Documentation {
  readonly meaning: string;
  /** As it would be written in the file; `undefined` where the setting is off, or required. */
  readonly defaultText: string | undefined;
  readonly required: boolean;
}

export const documentation: unique symbol = Symbol("documentation");

/** A setting whose default is written as its user would write it, so that the parser, the default and the docs can't differ. */
export function setting<T>(parser: Parser<T>, defaultText: string, meaning: string): Reader<T> {
  const defaultValue = parser(defaultText);
  return {
    [documentation]: { meaning, defaultText, required: false },
    ...inherited(parser),
    [read]: (source, key) => {
      const value = readSpec(source, key, parser);
      return (value === absent ? defaultValue : value) as T;
    },
  } as Reader<T>;
}

/** A setting that is off, `undefined`, unless it is set. */
export function optionalSetting<T>(inner: Parser<T> | Reader<T>, meaning: string): Reader<T | undefined> {
  return {
    [documentation]: { meaning, defaultText: undefined, required: false },
    ...inherited(inner),
    [read]: (source, key) => {
      const value = readSpec(source, key, inner);
      return (value === absent ? undefined : value) as T | undefined;
    },
  } as Reader<T | undefined>;
}

/** A setting without which the server can't run. */
export function requiredSetting<T>(parser: Parser<T>, meaning: string): Reader<T> {
  return {
    [documentation]: { meaning, defaultText: undefined, required: true },
    ...inherited(parser),
    [read]: (source, key) => readSpec(source, key, parser) as T | typeof absent,
  } as Reader<T>;
}

/** The documentation of one leaf of a spec. */
export function documentationOf(spec: Spec): Documentation | undefined {
  return isReader(spec) ? (spec as { [documentation]?: Documentation })[documentation] : undefined;
}
