import { documentationOf, keysOf, maskSecret, type Spec } from "@tsserve/config";
import { commonSettings } from "@tsserve/server";
import type { Host } from "../host.ts";
import { loggingSpec } from "../logging-settings.ts";
import type { OptionValues } from "../options.ts";
import { valuesFor, type Configuration } from "../configuration.ts";
import { giveUp, withApplication } from "../with-application.ts";

/** Loads and validates everything, binds nothing, and prints the settings as they will be. */
export function run(host: Host, positionals: readonly string[], values: OptionValues): Promise<number> {
  return withApplication(host, positionals, values, async (application, configuration) => {
    const server = await application.makeServer(await application.makeApp(await application.loadFactory()), []);
    await Promise.race([server.stop(AbortSignal.timeout(1000)), giveUp()]);
    host.print(resolvedSettings(configuration).join("\n"));
  });
}

/** In the dialect of the file; what is not set stands as a comment. */
function resolvedSettings({ server, serverSpec: spec, app, logging }: Configuration): string[] {
  const serverSpec = spec ?? commonSettings;
  const loggingValues = {
    level: logging.level,
    format: logging.format,
    ...(logging.redact.length === 0 ? {} : { redact: logging.redact.join(", ") }),
  };
  return [
    ...sectionLines(server.name, valuesFor(server, serverSpec), serverSpec),
    "",
    ...sectionLines(app.name, app.values, {}),
    "",
    ...sectionLines("logging", loggingValues, loggingSpec),
  ];
}

function sectionLines(name: string, values: Readonly<Record<string, string>>, spec: Spec): string[] {
  const set = Object.entries(values).map(([key, value]) => `${key} = ${maskSecret(key, value).replaceAll("\n", "\n    ")}`);
  const defaults = [...keysOf(spec)].flatMap(({ name: key, spec: leaf }) => {
    const text = documentationOf(leaf)?.defaultText;
    return text === undefined || Object.hasOwn(values, key) ? [] : [`; ${key} = ${text}`];
  });
  return [`[${name}]`, ...set, ...defaults];
}
