import { exitCodes } from "@tsserve/server";
import { stackOf } from "@tsserve/config";
import type { Host } from "../host.ts";
import { interruptible, Interruption, interruptionExitCode } from "../interruptible.ts";
import { loadFunction } from "../load-function.ts";
import { UsageError, type OptionValues } from "../options.ts";
import { adoptEnvironment, readAppConfiguration } from "../read-configuration.ts";

/** Runs a one-off function with the app's configuration: `fn(config, args)`. */
export async function run(host: Host, [file, target, ...args]: readonly string[], values: OptionValues): Promise<number> {
  if (file === undefined || target === undefined) throw new UsageError("expected tsserve script CONFIG.ini MODULE:FUNCTION [args…]");
  const configuration = readAppConfiguration(host, file, values);
  const { app, folder } = configuration;
  adoptEnvironment(host, configuration);
  const script = await loadFunction(target, "the command line", folder);
  try {
    await interruptible(host, Promise.resolve(script.call(app.values, args)));
    return exitCodes.stopped;
  } catch (error) {
    if (error instanceof Interruption && error.reason.kind === "signal") return interruptionExitCode(error);
    host.printError(
      `${target} threw:\n${stackOf(error instanceof Interruption && error.reason.kind === "uncaught" ? error.reason.error : error)}`,
    );
    return exitCodes.lost;
  }
}
