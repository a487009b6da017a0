import { asError, exitCodeOf, isConfigurationError, isTsserveError, stackOf, type Problem } from "@tsserve/config";
import { exitCodes } from "@tsserve/server";
import type { Host } from "./host.ts";
import { asksForJson } from "./options.ts";

/**
 * Tells on stderr why a command, or the start of a server, ended: readable text of what a user can get wrong; anything else is a
 * fault of ours, and keeps its stack. With `--log-format json`, one JSON line, for those who read stderr by machine.
 *
 * @returns the exit code that fits
 */
export function tellFailure(host: Host, error: unknown): number {
  const exitCode = isTsserveError(error) ? exitCodeOf(error) : exitCodes.neverServed;
  host.printError(asksForJson(host.args, host.env) ? jsonLine(host, error, exitCode) : textOf(error));
  return exitCode;
}

function textOf(error: unknown): string {
  if (!isTsserveError(error)) return `tsserve: ${asError(error).stack ?? asError(error).message}`;
  return error.code === "ERR_TSSERVE_USAGE" ? `tsserve: ${error.message}\nTry tsserve --help.` : error.message;
}

/** In the form of the log's lines. The values that were found stand in `msg` only, where secret ones are masked. */
function jsonLine({ pid, hostname }: Host, error: unknown, exitCode: number): string {
  const place = (problem: Problem): object => ({
    file: problem.file,
    line: problem.line,
    section: problem.section,
    key: problem.key,
    message: problem.message,
  });
  const { cause } = asError(error);
  return JSON.stringify({
    time: new Date().toISOString(),
    level: "fatal",
    pid,
    hostname,
    logger: "tsserve",
    code: isTsserveError(error) ? error.code : undefined,
    exit_code: exitCode,
    msg: asError(error).message,
    ...(isConfigurationError(error) ? { problems: error.problems.map(place) } : {}),
    // Its text is a part of `msg`, where it is the user's; the type is what a machine looks for.
    err: cause === undefined && isTsserveError(error) ? undefined : errorOf(isTsserveError(error) ? cause : error),
  });
}

function errorOf(thrown: unknown): object {
  const error = asError(thrown);
  return { type: error.name, message: error.message, stack: stackOf(error) };
}
