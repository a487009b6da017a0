import { types } from "node:util";

/**
 * What was thrown, as an `Error` that can be read without throwing again: a text, `null`, an object whose getters throw and a
 * revoked proxy are thrown by somebody, some day.
 */
export function asError(thrown: unknown): Error {
  try {
    if (!isError(thrown)) return new Error(`a value that is no Error was thrown: ${textOf(thrown)}`);
    const message = readField(thrown, "message");
    if (typeof message !== "string") return new Error(unreadable);
    if (isReadable(thrown)) return thrown;
    const stack = readField(thrown, "stack");
    return typeof stack === "string" ? Object.assign(new Error(message), { stack }) : new Error(message);
  } catch {
    return new Error(unreadable);
  }
}

const unreadable = "a value was thrown that can't be read";

/** A field of a value that is not ours; `undefined` where it has none, or can't be read: a getter may throw, a proxy may refuse. */
export function readField(value: unknown, name: string): unknown {
  if ((typeof value !== "object" || value === null) && typeof value !== "function") return undefined;
  try {
    return (value as Readonly<Record<string, unknown>>)[name];
  } catch {
    return undefined;
  }
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

/**
 * Message and stack of what a user's code threw, for people: mapped to the source where there is a map, cut where the user's
 * own frames end, followed by its causes.
 */
export function stackOf(thrown: unknown, depth = 0): string {
  const error = asError(thrown);
  if (error !== thrown) return error.message;
  const stack = error.stack ?? `${error.name}: ${error.message}`;
  // An error whose message was changed after it was made has a stack that does not tell.
  const own = stack.includes(error.message) ? stack : `${error.name}: ${error.message}\n${stack}`;
  return `${withoutOurFrames(own)}${depth < mostCauses ? partsOf(error, depth + 1) : ""}`;
}

function partsOf(error: Error & { readonly errors?: unknown }, depth: number): string {
  const parts = Array.isArray(error.errors)
    ? error.errors.slice(0, mostCauses).map((each) => `\n  one of them ${stackOf(each, depth)}`)
    : [];
  if (error.cause !== undefined && error.cause !== null) parts.push(`\n  caused by ${stackOf(error.cause, depth)}`);
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
  const frames = (new Error("where").stack ?? "").split("\n").filter((line) => frame.test(line));
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
