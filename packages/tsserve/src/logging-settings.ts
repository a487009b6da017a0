import { dictOf, oneOf, optionalSetting, parseConfig, string, tupleOf, type Parser, type Reader } from "@tsserve/config";
import type { OptionValues } from "./options.ts";
import { parseArgument } from "./usage-error.ts";

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";
export type LogFormat = "json" | "pretty";

const level: Parser<LogLevel> = oneOf({
  trace: "trace",
  debug: "debug",
  info: "info",
  warn: "warn",
  error: "error",
  fatal: "fatal",
  silent: "silent",
});
const format: Parser<LogFormat> = oneOf({ json: "json", pretty: "pretty" });

type LoggingSpec = {
  readonly level: Reader<LogLevel | undefined>;
  readonly format: Reader<LogFormat | undefined>;
  readonly levels: Reader<Readonly<Record<string, LogLevel>> | undefined>;
  readonly redact: Reader<readonly string[] | undefined>;
};

/** The keys of `[logging]`. */
export const loggingSpec: LoggingSpec = {
  level: optionalSetting(level, "The lowest level that is logged: trace, debug, info (the default), warn, error, fatal or silent."),
  format: optionalSetting(format, "json, one object a line, or pretty, for people. Default: pretty on a terminal, else json."),
  levels: optionalSetting(dictOf(level), "`levels.NAME = LEVEL`: the level of the logger NAME and of those whose names go on with a dot."),
  redact: optionalSetting(tupleOf(string), "Paths whose values are replaced by [Redacted]: `password, user.token, *.secret`."),
};

export interface LoggingSettings {
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly levels: Readonly<Record<string, LogLevel>>;
  readonly redact: readonly string[];
}

/**
 * The command line beats the environment, which beats the file.
 *
 * @throws {ConfigurationError} on a bad `[logging]` section
 * @throws {UsageError} on a bad option
 */
export function loggingSettings(raw: Readonly<Record<string, string>>, values: OptionValues, isTerminal: boolean): LoggingSettings {
  const parsed = parseConfig(raw, loggingSpec, { unknownKeys: "reject" });
  return {
    level: option("--log-level", values["log-level"], level) ?? (values.debug === undefined ? (parsed.level ?? "info") : "debug"),
    format: option("--log-format", values["log-format"], format) ?? parsed.format ?? (isTerminal ? "pretty" : "json"),
    levels: parsed.levels ?? {},
    redact: parsed.redact ?? [],
  };
}

/** The settings as they would be written in the file, so that they read back as the same. */
export function loggingTexts(settings: LoggingSettings): [key: string, text: string][] {
  return [
    ["level", settings.level],
    ["format", settings.format],
    ...Object.entries(settings.levels).map(([name, value]): [string, string] => [`levels.${name}`, value]),
    ...(settings.redact.length === 0 ? [] : [["redact", settings.redact.join(", ")] satisfies [string, string]]),
  ];
}

function option<T>(name: string, text: string | undefined, parser: Parser<T>): T | undefined {
  return text === undefined ? undefined : parseArgument(name, text, parser);
}
