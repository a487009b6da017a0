import type { Host } from "../host.ts";
import type { OptionValues } from "../options.ts";
import { giveUp, withApplication } from "../with-application.ts";

/** Prints what the server answers to, a line each. */
export function run(host: Host, positionals: readonly string[], values: OptionValues): Promise<number> {
  return withApplication(host, positionals, values, async (application) => {
    const server = await application.makeServer(await application.makeApp(await application.loadFactory()), []);
    const routes = (await server.routes?.()) ?? [];
    const width = Math.max(0, ...routes.map(({ method }) => method.length));
    for (const { method, path } of routes) host.print(`${method.padEnd(width)}  ${path}`);
    if (routes.length === 0) host.printError("this kind of app does not tell its routes");
    await Promise.race([server.stop(AbortSignal.timeout(1000)), giveUp()]);
  });
}
