import { types } from "node:util";
import { readField } from "./read-field.ts";
import { stackHere, stackText } from "./stack-text.ts";

/**
 * What was thrown, as an `Error` that can be read without throwing again: a text, `null`, an object whose getters throw and a
 * revoked proxy are thrown by somebody, some day.
 */
export function asError(thrown: unknown): Error {
  return adopt(thrown).error;
}

/** What was thrown as an error, and whether that is the user's own, or a copy of it, rather than one of ours that tells of it. */
function adopt(thrown: unknown): { readonly error: Error; readonly isTheirs: boolean } {
  try {
    if (!isError(thrown)) return { error: readableError(`a value that is no Error was thrown: ${textOf(thrown)}`), isTheirs: false };
    const message = readField(thrown, "message");
    if (typeof message !== "string") return { error: readableError(unreadable), isTheirs: false };
    return { error: isReadable(thrown) ? thrown : readableCopy(thrown, message), isTheirs: true };
  } catch {
    return { error: readableError(unreadable), isTheirs: false };
  }
}

const unreadable = "a value was thrown that can't be read";

/** Its stack is written now: later, the app's `Error.prepareStackTrace` would be asked, even where the stack is only replaced. */
function readableError(message: string): Error {
  const error = new Error(message);
  stackText(error);
  return error;
}

/** An error that says what of another one can be read. */
function readableCopy(error: Error, message: string): Error {
  const copy = readableError(message);
  const own = Object.keys(error).filter((name) => name !== "message" && name !== "name");
  for (const name of [...own, "cause", "errors"]) {
    const value = readField(error, name);
    if (value !== undefined)
      Object.defineProperty(copy, name, { value, enumerable: own.includes(name), configurable: true, writable: true });
  }
  const ownName = readField(error, "name");
  const className = readField(readField(error, "constructor"), "name");
  const name = [ownName, className].find((each) => typeof each === "string" && each !== "" && each !== "Error") ?? "Error";
  const texts = { name, stack: stackText(error) };
  for (const [key, value] of Object.entries(texts)) Object.defineProperty(copy, key, { value, configurable: true, writable: true });
  return copy;
}

/** Of this realm or another one: `instanceof` knows only its own. */
function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value);
}

/** What is looked at in a failure, here and elsewhere: by whose fault it is, what to tell of it. */
const lookedAt = ["name", "stack", "code", "cause", "errors", "constructor"] as const;

/** An error may have a getter that throws: whoever looks at a failure must not meet another. */
function isReadable(error: Error): boolean {
  try {
    for (const name of lookedAt) void Reflect.get(error, name);
    return error.stack === undefined || typeof error.stack === "string";
  } catch {
    return false;
  }
}

const longestText = 1000;

function textOf(value: unknown): string {
  let text = String(value);
  if (text === "[object Object]") text = JSON.stringify(value) ?? text;
  return text.length > longestText ? `${text.slice(0, longestText)}…` : text;
}

const mostCauses = 5;
const longestMessage = 4000;

/**
 * Message and stack of what a user's code threw, for people: mapped to the source where there is a map, cut where the user's
 * own frames end, followed by its causes.
 */
export function stackOf(thrown: unknown): string {
  return describe(thrown, 0, new Set());
}

function describe(thrown: unknown, depth: number, told: Set<unknown>): string {
  if (told.has(thrown)) return "an error that is told of above";
  if (typeof thrown === "object" && thrown !== null) told.add(thrown);
  const { error, isTheirs } = adopt(thrown);
  if (!isTheirs) return error.message;
  const stack = stackText(error);
  // An error whose message was changed after it was made has a stack that does not tell.
  const own = stack.includes(error.message) ? stack : `${error.name}: ${error.message}\n${stack}`;
  const short = own.replace(error.message, cutMessage);
  return `${withoutOurFrames(short)}${depth < mostCauses ? partsOf(error, depth + 1, told) : ""}`;
}

/** Some put the whole answer of a server, or what they could not parse, into a message. */
function cutMessage(message: string): string {
  return message.length > longestMessage ? `${message.slice(0, longestMessage)}… (${message.length - longestMessage} more)` : message;
}

function partsOf(error: Error & { readonly errors?: unknown }, depth: number, told: Set<unknown>): string {
  const parts = Array.isArray(error.errors)
    ? error.errors.slice(0, mostCauses).map((each) => `\n  one of them ${describe(each, depth, told)}`)
    : [];
  if (error.cause !== undefined && error.cause !== null) parts.push(`\n  caused by ${describe(error.cause, depth, told)}`);
  return parts.join("");
}

const frame = /^\s+at /;

/** Without the frames below the last one that is not ours or Node's: they tell how we came to call, which is no fault of the user's. */
function withoutOurFrames(stack: string): string {
  const lines = stack.split("\n");
  const first = lines.findIndex((line) => frame.test(line));
  if (first === -1) return stack;
  const last = lines.findLastIndex((line) => frame.test(line) && !isOurs(line));
  // Where no frame is the user's, as when Node's own parser refuses what a module gave it, ours say nothing either.
  return lines.slice(0, Math.max(last + 1, first)).join("\n");
}

/**
 * Where the code stands that called us, as `file:line`: whose something is that is registered now and fails later.
 *
 * @returns an empty text where no frame is a user's
 */
export function callerPlace(): string {
  const frames = stackHere()
    .split("\n")
    .filter((line) => frame.test(line));
  // The user's own code rather than a framework that it calls.
  const caller = frames.find((line) => !isOurs(line) && !line.includes("/node_modules/")) ?? frames.find((line) => !isOurs(line));
  return /\(?((?:file:\/\/)?\/[^()]*:\d+):\d+\)?$/.exec(caller ?? "")?.[1]?.replace(/^file:\/\//, "") ?? "";
}

/** The folder that this package lies in beside its siblings: `packages/` of a checkout, `node_modules/@tsserve/` of an installation. */
const siblings = new URL("../../", import.meta.url).pathname;

/** A frame of this project's packages, of Node, or of the TypeScript loader. */
function isOurs(line: string): boolean {
  if (/[( ](?:async )?node:/.test(line) || line.includes("<anonymous>")) return true;
  if (/\/node_modules\/(?:@tsserve\/[^/]+|tsserve|tsx|get-tsconfig)\//.test(line)) return true;
  return line.includes(siblings) && /\/(?:src|dist|bundle|bin)\/[^/]/.test(line.slice(line.indexOf(siblings) + siblings.length - 1));
}
