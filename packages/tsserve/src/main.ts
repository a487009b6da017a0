import { didYouMean } from "@tsserve/config";
import { exitCodeAfter, exitCodes } from "@tsserve/server";
import { commands, isCommand, type CommandName } from "./commands.ts";
import { helpOf } from "./help.ts";
import type { Host } from "./host.ts";
import { Interruption } from "./interruptible.ts";
import { fileOfImage, readArguments } from "./read-arguments.ts";
import { UsageError } from "./usage-error.ts";
import { tellFailure } from "./tell-failure.ts";
import { version } from "./version.ts";

/** The program: the command of the arguments, and the exit code of what became of it. */
export async function main(host: Host): Promise<number> {
  try {
    const [name, args] = commandOf(host.args);
    const command = commands[name];
    const { positionals, values, help, version: wantsVersion } = readArguments(args, command.options, host.env, command.ownPositionals);
    if (help) host.print(helpOf(host.args.length > args.length ? name : undefined));
    else if (wantsVersion) host.print(`tsserve ${version()} (Node ${process.version})`);
    else return await (await command.load()).run(host, filesOf(name, positionals, host), values);
    return exitCodes.stopped;
  } catch (error) {
    return explain(error, host);
  }
}

const takingFile: ReadonlySet<CommandName> = new Set<CommandName>(["serve", "check", "routes", "shell", "healthcheck"]);

/** Without arguments, an image is told by its environment which file it serves. */
function filesOf(name: CommandName, positionals: readonly string[], { env }: Host): readonly string[] {
  const file = positionals.length === 0 && takingFile.has(name) ? fileOfImage(env) : undefined;
  return file === undefined ? positionals : [file];
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

/** A command that a signal ended has nothing to tell. */
function explain(error: unknown, host: Host): number {
  if (!(error instanceof Interruption)) return tellFailure(host, error);
  const { reason } = error;
  if (reason.kind === "uncaught" || reason.kind === "server-ended") return tellFailure(host, reason.error);
  return exitCodeAfter({ kind: "start-interrupted", cause: reason, lost: false });
}
