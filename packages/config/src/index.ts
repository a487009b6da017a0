/**
 * INI text to typed, frozen settings, every problem reported at once.
 *
 *     const document = parseIni(text, "myapp.ini");
 *     const section = resolveSection(document, "app:main", process.env);
 *     const settings = parseConfig(section.values, { cache: { ttl: timespan } });
 *
 * Pure: reads no file (but for the `file`, `unixUser` and `unixGroup` parsers) and prints nothing.
 */
export { didYouMean, nearest } from "./nearest.ts";
export { expand } from "./expand.ts";
export { parseIni } from "./ini.ts";
export { writeEntry } from "./write-entry.ts";
export { isSecretKey, masked, maskSecret } from "./mask.ts";
export { Masker } from "./masker.ts";
export { keysOf, parseConfig, unknownKeys } from "./parse-config.ts";
export { asError, callerPlace, stackOf } from "./foreign-error.ts";
export { readField } from "./read-field.ts";
export { stackHere, stackText } from "./stack-text.ts";
export { ConfigurationError, formatProblem, isConfigurationError } from "./problem.ts";
export {
  badReference,
  expected,
  factoryThrew,
  moduleNotFound,
  moduleThrew,
  notAFunction,
  notExported,
  placed,
  quoted,
  startFailed,
  wrongApp,
  wrongServer,
} from "./sentences.ts";
export { errorCodes, exitCodeOf, isTsserveError, TsserveError } from "./tsserve-error.ts";
export { runBriefly } from "./run-briefly.ts";
export { resolveSection } from "./section.ts";
export { documentationOf, optionalSetting, requiredSetting, setting } from "./setting.ts";
export { choicesOf } from "./spec.ts";
export { isSecret, secret } from "./secret.ts";
export { learnerOf, withLearner } from "./learner.ts";
export { defaultFromEnv, dictOf, fallback, optional, tristate, tupleOf } from "./parsers/combined.ts";
export { isEveryHost, isLocalHost, isLoopbackAddress, isLoopbackHost } from "./hosts.ts";
export { descriptorOf, endpoint, formatEndpoint, listenEndpoint } from "./parsers/endpoint.ts";
export { byteSize, float, integer, integerBase, integerFrom, percent, positive } from "./parsers/number.ts";
export { file, unixGroup, unixUser } from "./parsers/system.ts";
export { base64, boolean, oneOf, string } from "./parsers/text.ts";
export { timespan, timespanOrInfinite, timespanOrSeconds } from "./parsers/timespan.ts";

export type { Environment, Expansion, ExpansionProblem } from "./expand.ts";
export type { IniDocument, IniEntry, IniSection } from "./ini.ts";
export type { KnownKey, ParseConfigOptions } from "./parse-config.ts";
export type { Problem } from "./problem.ts";
export type { ErrorCode, ErrorExit } from "./tsserve-error.ts";
export type { Ran } from "./run-briefly.ts";
export type { ResolvedSection } from "./section.ts";
export type { Documentation } from "./setting.ts";
export type { Endpoint } from "./parsers/endpoint.ts";
export type { Parsed, Parser, Reader, Spec } from "./spec.ts";
