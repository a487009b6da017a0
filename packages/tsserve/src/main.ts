import { ConfigurationError, didYouMean } from "@tsserve/config";
import { ListenError } from "@tsserve/listener";
import { exitCodeAfter, exitCodes } from "@tsserve/server";
import { commands, isCommand, type CommandName } from "./commands.ts";
import { FactoryError } from "./factory-error.ts";
import { helpOf } from "./help.ts";
import type { Host } from "./host.ts";
import { Interruption } from "./interruptible.ts";
import { readArguments, UsageError } from "./options.ts";
import { version } from "./version.ts";

/** The program: the command of the arguments, and the exit code of what became of it. */
export async function main(host: Host): Promise<number> {
  try {
    const [name, args] = commandOf(host.args);
    const command = commands[name];
    const { positionals, values, help, version: wantsVersion } = readArguments(args, command.options, host.env, command.ownPositionals);
    if (help) host.print(helpOf(host.args.length > args.length ? name : undefined));
    else if (wantsVersion) host.print(`tsserve ${version()} (Node ${process.version})`);
    else return await (await command.load()).run(host, positionals, values);
    return exitCodes.stopped;
  } catch (error) {
    return explain(error, host);
  }
}

/** `serve` is the default: a first argument that is no command is the file. */
function commandOf(args: readonly string[]): [CommandName, readonly string[]] {
  const [first, ...rest] = args;
  if (first !== undefined && isCommand(first)) return [first, rest];
  if (first !== undefined && /^[a-z-]+$/.test(first) && rest.length > 0 && !rest[0]?.startsWith("-")) {
    throw new UsageError(`unknown command "${first}"${didYouMean(first, Object.keys(commands))}`);
  }
  return ["serve", args];
}

/** What a user can get wrong is answered by readable text; anything else is a fault of ours, and keeps its stack. */
function explain(error: unknown, host: Host): number {
  if (error instanceof UsageError) {
    host.printError(`tsserve: ${error.message}\nTry tsserve --help.`);
    return exitCodes.misconfigured;
  }
  if (error instanceof Interruption) {
    const { reason } = error;
    if (reason.kind === "signal" || reason.kind === "orphaned")
      return exitCodeAfter({ kind: "start-interrupted", cause: reason, lost: false });
    return explain(reason.error, host);
  }
  if (error instanceof ConfigurationError || error instanceof FactoryError || error instanceof ListenError) {
    host.printError(error.message);
    return exitCodeAfter({ kind: "start-failed", error });
  }
  host.printError(`tsserve: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return exitCodeAfter({ kind: "start-failed", error });
}
