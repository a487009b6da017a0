import type { ServerModuleExtras } from "@tsserve/server";
import { loadFunction } from "./load-function.ts";

/** What the factories of this installation say of their keys, without the weight of the servers themselves: a master needs no more. */
const builtIn: Readonly<Record<string, () => Promise<ServerModuleExtras>>> = {
  "tsserve/http": async () => {
    const { httpSettings, settings } = await import("@tsserve/http/settings");
    return { settings, parseSettings: httpSettings };
  },
  "tsserve/thrift": async () => {
    const { thriftSettings, settings } = await import("@tsserve/thrift/settings");
    return { settings, parseSettings: thriftSettings };
  },
  "tsserve/queue": async () => {
    const { queueSettings, settings } = await import("@tsserve/queue/settings");
    return { settings, parseSettings: queueSettings };
  },
};

/**
 * As `serverSettings`, but of factories of this installation only: a process that goes on can't load anyone else's module
 * anew, and what it loaded once may not be what the next workers load. They check the file themselves.
 */
export async function builtInSettings(written: string): Promise<ServerModuleExtras> {
  const specifier = specifierOf(written);
  return Object.hasOwn(builtIn, specifier) ? ((await builtIn[specifier]?.()) ?? {}) : {};
}

/**
 * What the module of a server factory says of its keys. Anyone else's module is loaded for it.
 *
 * @param written as in the file: `MODULE[:NAME]`
 * @throws {TsserveError}
 */
export async function serverSettings(written: string, place: string, folder: string): Promise<ServerModuleExtras> {
  if (Object.hasOwn(builtIn, specifierOf(written))) return builtInSettings(written);
  const { module } = await loadFunction(written, place, folder, "makeServer");
  return module;
}

function specifierOf(written: string): string {
  return written.trim().replace(/:[\w$]+$/, "");
}
