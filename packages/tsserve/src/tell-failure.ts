import { asError, exitCodeOf, isConfigurationError, isTsserveError, stackOf, stackText, type Problem } from "@tsserve/config";
import { exitCodes } from "@tsserve/server";
import type { Host } from "./host.ts";
import { boundLine } from "./logging/bound-line.ts";
import { asksForJson } from "./read-arguments.ts";

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

/** Tells on stderr that a function of the app's threw, which ends the command: with its stack, and in the same two forms. */
export function tellThrown(host: Host, name: string, thrown: unknown, exitCode: number): void {
  const isJson = asksForJson(host.args, host.env);
  const line = (): string => lineOf(host, exitCode, `${name} threw: ${asError(thrown).message}`, { err: errorOf(thrown) });
  host.printError(isJson ? line() : `${name} threw:\n${stackOf(thrown)}`);
}

/** Tells on stderr in one sentence why a process ends. */
export function tellReason(host: Host, reason: string, exitCode: number): void {
  host.printError(asksForJson(host.args, host.env) ? lineOf(host, exitCode, reason, {}) : `tsserve: ${reason}`);
}

function textOf(error: unknown): string {
  if (!isTsserveError(error)) return `tsserve: ${stackText(asError(error))}`;
  return error.code === "ERR_TSSERVE_USAGE" ? `tsserve: ${error.message}\nTry tsserve --help.` : error.message;
}

/** In the form of the log's lines. The values that were found stand in `msg` only, where secret ones are masked. */
function jsonLine(host: Host, error: unknown, exitCode: number): string {
  const place = (problem: Problem): object => ({
    file: problem.file,
    line: problem.line,
    section: problem.section,
    key: problem.key,
    message: problem.message,
  });
  const { cause } = asError(error);
  return lineOf(host, exitCode, asError(error).message, {
    code: isTsserveError(error) ? error.code : undefined,
    ...(isConfigurationError(error) ? { problems: error.problems.map(place) } : {}),
    // Its text is a part of `msg`, where it is the user's; the type is what a machine looks for.
    err: cause === undefined && isTsserveError(error) ? undefined : errorOf(isTsserveError(error) ? cause : error),
  });
}

function lineOf({ pid, hostname }: Host, exitCode: number, msg: string, more: object): string {
  const time = new Date().toISOString();
  return boundLine(
    `${JSON.stringify({ time, level: "fatal", pid, hostname, logger: "tsserve", exit_code: exitCode, msg, ...more })}\n`,
  ).trimEnd();
}

function errorOf(thrown: unknown): object {
  const error = asError(thrown);
  return { type: error.name, message: error.message, stack: stackOf(error) };
}
