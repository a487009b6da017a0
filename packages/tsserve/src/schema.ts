import { choicesOf, documentationOf, isSecret, keysOf, type Spec } from "@tsserve/config";
import { commonSettings } from "@tsserve/server";
import type { Configuration } from "./configuration.ts";
import { loggingSpec } from "./logging-settings.ts";

/** A part of a JSON schema (draft 2020-12). */
export interface Schema {
  readonly [keyword: string]: unknown;
}

/**
 * The schema of a file, as the object of objects that INI readers of editors make of it: sections, their keys, texts. From the
 * same specs as the docs; a stranger's server factory has its keys in it, too, where its module exports them.
 */
export function schemaOf({ server, serverSpec, app }: Pick<Configuration, "server" | "serverSpec" | "app">): Schema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "a configuration of tsserve",
    type: "object",
    properties: {
      DEFAULT: {
        type: "object",
        description: "Inherited by every section; a section's own value wins.",
        additionalProperties: { type: "string" },
      },
      [server.name]: sectionSchema(serverSpec ?? commonSettings, serverSpec !== undefined),
      [app.name]: {
        type: "object",
        description: "The app factory, and the app's own keys.",
        properties: { factory: { type: "string", description: "The app factory: `MODULE[:NAME]`, from the file's folder." } },
        additionalProperties: { type: "string" },
      },
      logging: sectionSchema(loggingSpec, true),
    },
    required: [server.name, app.name],
  };
}

function sectionSchema(spec: Spec, isClosed: boolean): Schema {
  const known = [...keysOf(spec)];
  const dictionaries = known.filter(({ name, matches }) => matches(`${name}.x`));
  const single = known.filter((each) => !dictionaries.includes(each));
  return {
    type: "object",
    properties: Object.fromEntries(single.map(({ name, spec: leaf }) => [name, leafSchema(name, leaf, spec)])),
    patternProperties: Object.fromEntries(
      dictionaries.map(({ name, spec: leaf }) => [`^${name.replaceAll(/[.\\]/g, "\\$&")}\\.`, leafSchema(name, leaf, spec)]),
    ),
    // `required` names no key: each may come from [DEFAULT].
    additionalProperties: isClosed ? false : { type: "string" },
  };
}

function leafSchema(key: string, leaf: Spec, spec: Spec): Schema {
  const documentation = documentationOf(leaf);
  const texts = choicesOf(leaf);
  return {
    type: "string",
    ...(documentation === undefined ? {} : { description: documentation.meaning }),
    ...(documentation?.defaultText === undefined ? {} : { default: documentation.defaultText }),
    // A reference such as $LEVEL is a value as well.
    ...(texts === undefined ? {} : { anyOf: [{ enum: texts }, { pattern: "\\$" }] }),
    ...(isSecret(key, spec) ? { writeOnly: true } : {}),
  };
}
