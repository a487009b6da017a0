import { documentationOf, isSecret, keysOf, masked, writeEntry, type Masker, type Spec } from "@tsserve/config";
import { commonSettings } from "@tsserve/server";
import { valuesFor, type Configuration } from "../configuration.ts";
import type { Host } from "../host.ts";
import { loggingSpec, loggingTexts } from "../logging-settings.ts";
import type { OptionValues } from "../options.ts";
import { readConfiguration } from "../read-configuration.ts";
import { schemaOf } from "../schema.ts";
import { giveUp, withApplication } from "../with-application.ts";

/** Loads and validates everything, binds nothing, and prints the settings as they will be. */
export async function run(host: Host, positionals: readonly string[], values: OptionValues): Promise<number> {
  if (values.schema !== undefined) {
    host.print(JSON.stringify(schemaOf(await readConfiguration(host, positionals, values)), undefined, 2));
    return 0;
  }
  return withApplication(host, positionals, values, async (application, configuration) => {
    const server = await application.makeServer(await application.makeApp(await application.loadFactory()), []);
    await Promise.race([server.stop(AbortSignal.timeout(1000)), giveUp()]);
    host.print(resolvedSettings(configuration).join("\n"));
  });
}

/**
 * In the dialect of the file, with references expanded and options of the command line applied: it reads back to the same
 * values, but for secrets, which are masked. What is not set stands as a comment.
 */
export function resolvedSettings({ server, serverSpec, app, logging, masker }: Configuration): string[] {
  return [
    ...sectionLines(server.name, Object.entries(valuesFor(server, serverSpec)), serverSpec ?? commonSettings, masker),
    "",
    ...sectionLines(app.name, Object.entries(app.values), {}, masker),
    "",
    ...sectionLines("logging", loggingTexts(logging), loggingSpec, masker),
  ];
}

function sectionLines(section: string, values: readonly (readonly [string, string])[], spec: Spec, masker: Masker): string[] {
  const set = values.map(([key, value]) => writeEntry(key, shown(section, key, value, spec, masker)));
  const keys = new Set(values.map(([key]) => key));
  const defaults = [...keysOf(spec)].flatMap(({ name: key, spec: leaf }) => {
    const text = documentationOf(leaf)?.defaultText;
    return text === undefined || keys.has(key) ? [] : [`; ${writeEntry(key, text)}`];
  });
  return [`[${section}]`, ...set, ...defaults];
}

function shown(section: string, key: string, value: string, spec: Spec, masker: Masker): string {
  if (value === "") return value;
  return isSecret(key, spec) || masker.isSecret(section, key) ? masked : masker.mask(value);
}
