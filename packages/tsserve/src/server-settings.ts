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
 * What the module of a server factory says of its keys. Anyone else's module is loaded for it.
 *
 * @param written as in the file: `MODULE[:NAME]`
 * @throws {TsserveError}
 */
export async function serverSettings(written: string, place: string, folder: string): Promise<ServerModuleExtras> {
  if (Object.hasOwn(builtIn, written)) return (await builtIn[written]?.()) ?? {};
  const { module } = await loadFunction(written, place, folder, "makeServer");
  return module;
}
