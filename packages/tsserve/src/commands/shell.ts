import { once } from "node:events";
import { homedir } from "node:os";
import { join } from "node:path";
import { start, type REPLServer } from "node:repl";
import { promisify } from "node:util";
import type { Host } from "../host.ts";
import type { OptionValues } from "../options.ts";
import { withApplication } from "../with-application.ts";

/** A REPL in which the app is built, but not served. */
export function run(host: Host, positionals: readonly string[], values: OptionValues): Promise<number> {
  return withApplication(host, positionals, values, async (application, { app, file }) => {
    const { app: built } = await application.makeApp(await application.loadFactory());
    const variables = { app: built, config: app.values, context: application.context };
    host.print(`tsserve shell for ${file}: ${Object.keys(variables).join(", ")}`);
    const repl = start({ prompt: "> ", useGlobal: true });
    Object.assign(repl.context, variables);
    const ended = once(repl, "exit");
    await keepHistory(repl, host);
    await ended;
  });
}

/** In the file that `TSSERVE_HISTORY` names, else `~/.tsserve_history`; where it can't be written, there is none. */
async function keepHistory(repl: REPLServer, host: Host): Promise<void> {
  const path = host.env["TSSERVE_HISTORY"] ?? join(homedir(), ".tsserve_history");
  await promisify(repl.setupHistory.bind(repl))(path).catch(() => undefined);
}
