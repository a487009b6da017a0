import { TsserveError, type Parser } from "@tsserve/config";

/** The command line is wrong; the message says how. */
export class UsageError extends TsserveError {
  override readonly name = "UsageError";

  constructor(message: string) {
    super("ERR_TSSERVE_USAGE", message);
  }
}

/**
 * Parses the value of an option, of its variable or of a positional argument.
 *
 * @param name what the user knows it by: `--timeout`, `ENDPOINT`
 * @throws {UsageError} with what was expected, and what was found
 */
export function parseArgument<T>(name: string, text: string, parser: Parser<T>): T {
  try {
    return parser(text);
  } catch (error) {
    throw new UsageError(`${name}: ${(error as Error).message}, found "${text}"`);
  }
}
