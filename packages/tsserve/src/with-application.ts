import { stackOf } from "@tsserve/config";
import { prepareApplication, type Application } from "./application.ts";
import type { Host } from "./host.ts";
import { interruptible, Interruption, interruptionExitCode } from "./interruptible.ts";
import { makeLogger } from "./make-logger.ts";
import type { OptionValues } from "./options.ts";
import type { Configuration } from "./configuration.ts";
import { adoptEnvironment, readConfiguration } from "./read-configuration.ts";

const stopTimeoutMs = 5000;

/** Builds everything that `serve` builds, binds nothing, and takes it down again when `use` is done. */
export async function withApplication(
  host: Host,
  positionals: readonly string[],
  values: OptionValues,
  use: (application: Application, configuration: Configuration) => Promise<void>,
): Promise<number> {
  const configuration = await readConfiguration(host, positionals, values);
  adoptEnvironment(host, configuration);
  // Nobody wants the app's chatter among the command's output, but for what goes wrong.
  const quiet = values["log-level"] === undefined && values.debug === undefined;
  const log = makeLogger({ ...configuration.logging, ...(quiet ? { level: "error" } : {}) }, host, configuration.folder);
  const application = await prepareApplication(configuration, log);
  try {
    await interruptible(host, use(application, configuration));
    await Promise.race([application.stopHooks.run(), giveUp()]);
    return 0;
  } catch (error) {
    if (!(error instanceof Interruption)) throw error;
    if (error.reason.kind === "uncaught") host.printError(stackOf(error.reason.error));
    return interruptionExitCode(error);
  }
}

/** What an app leaves behind must not hold a command. */
export function giveUp(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, stopTimeoutMs).unref();
  });
}
