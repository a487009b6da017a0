import { didYouMean } from "./nearest.ts";
import { TsserveError } from "./tsserve-error.ts";
import { stackOf } from "./foreign-error.ts";

// Every sentence that tells a user of an error has the same form, whoever finds it: the place, what is wrong or expected, what
// was found. They are composed here, so that they can be read side by side.

/** `place: what`, or `what` where there is no place. */
export function at(place: string, what: string): string {
  return place === "" ? what : `${place}: ${what}`;
}

const longestQuote = 120;

/** A value that was found, cut to a length that can be read, on one line. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > longestQuote ? `${text.slice(0, longestQuote)}…` : text);
}

/** `expected …, found "…"`. */
export function expected(expectation: string, found: string | undefined): string {
  return found === undefined ? `expected ${expectation}` : `expected ${expectation}, found ${quoted(found)}`;
}

/** `MODULE[:NAME]` can't be read. */
export function badReference(
  place: string,
  written: string,
  expectation = "MODULE or MODULE:NAME, such as ./app.js:makeApp",
): TsserveError {
  return new TsserveError("ERR_TSSERVE_REFERENCE", at(place, expected(expectation, written)));
}

/** @param hint what is near: begins with a comma or a blank, or is empty */
export function moduleNotFound(what: string, hint: string): TsserveError {
  return new TsserveError("ERR_TSSERVE_MODULE_NOT_FOUND", `module not found: ${what}${hint}`);
}

/**
 * @param where a syntax error with its file and line, which its stack does not tell
 * @param hint what may be done about it, where that can be guessed
 */
export function moduleThrew(
  place: string,
  specifier: string,
  error: unknown,
  { where = stackOf(error), hint }: { readonly where?: string | undefined; readonly hint?: string | undefined } = {},
): TsserveError {
  const message = at(place, `${specifier} threw while it was loaded:\n${where}${hint === undefined ? "" : `\n(${hint})`}`);
  return new TsserveError("ERR_TSSERVE_MODULE_THREW", message, { cause: error });
}

export function notExported(place: string, specifier: string, name: string, names: readonly string[]): TsserveError {
  const has = names.length === 0 ? "nothing" : names.join(", ");
  const message = at(place, `${specifier} does not export "${name}"${didYouMean(name, names)}; it exports ${has}`);
  return new TsserveError("ERR_TSSERVE_NOT_EXPORTED", message);
}

/** @param expectation `a function` where nothing else is taken */
export function notAFunction(place: string, what: string, found: string, expectation = "a function"): TsserveError {
  return new TsserveError("ERR_TSSERVE_NOT_A_FUNCTION", at(place, `${what} is ${found}, expected ${expectation}`));
}

/**
 * Of a factory, a `handler` or another function that the INI file names.
 *
 * @param hint why, where that can be guessed: begins with a comma, or is empty
 */
export function factoryThrew(place: string, what: string, error: unknown, hint = ""): TsserveError {
  return new TsserveError("ERR_TSSERVE_FACTORY_THREW", at(place, `${what} threw${hint}:\n${stackOf(error)}`), { cause: error });
}

/**
 * The factory gave what its server can't serve. A server factory throws it without a place, which the command adds.
 *
 * @param found such as `a number`
 * @param serves what the server takes, where the rest does not tell
 */
export function wrongApp(found: string, serves?: string): TsserveError {
  return new TsserveError("ERR_TSSERVE_APP_KIND", `the app factory gave ${found}${serves === undefined ? "" : `; ${serves}`}`);
}

/** A server factory gave what is no server. */
export function wrongServer(found: string): TsserveError {
  return new TsserveError(
    "ERR_TSSERVE_SERVER_KIND",
    `the server factory gave ${found}; expected an object with start, drain, stop and stats`,
  );
}

/** A step of the start failed in its own way. */
export function startFailed(step: string, error: unknown): TsserveError {
  return new TsserveError("ERR_TSSERVE_START", `tsserve: starting ${step} failed:\n${stackOf(error)}`, { cause: error });
}

/** The same error, told with its place. */
export function placed(place: string, error: TsserveError): TsserveError {
  return new TsserveError(error.code, at(place, error.message), { cause: error.cause, systemCode: error.systemCode });
}
