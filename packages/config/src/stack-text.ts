import { readField } from "./read-field.ts";

/**
 * The text of an error's stack, whatever the app has had `Error.prepareStackTrace` do: V8 calls it when a stack is first read,
 * so that it may throw there, and what it gives (call sites, mostly) is the stack from then on.
 */
export function stackText(error: unknown): string {
  const stack = readField(error, "stack");
  if (typeof stack === "string") return stack;
  const plain = stack ?? withoutHook(() => readField(error, "stack"));
  if (typeof plain === "string") return plain;
  return [`${textField(error, "name")}: ${textField(error, "message")}`, ...framesOf(plain)].join("\n");
}

function textField(error: unknown, name: string): string {
  const value = readField(error, name);
  return typeof value === "string" && value !== "" ? value : "Error";
}

/** One that threw is asked again at the next reading: without it, V8 writes the stack itself. */
function withoutHook<T>(read: () => T): T {
  const hook = Object.getOwnPropertyDescriptor(Error, "prepareStackTrace");
  if (hook?.configurable !== true) return read();
  Reflect.deleteProperty(Error, "prepareStackTrace");
  try {
    return read();
  } finally {
    Object.defineProperty(Error, "prepareStackTrace", hook);
  }
}

function framesOf(sites: unknown): string[] {
  try {
    return Array.isArray(sites) ? sites.map((site) => `    at ${String(site)}`) : [];
  } catch {
    return [];
  }
}

const mostFrames = 50;

/** The stack of the code that runs now, whatever the app has made of `Error.prepareStackTrace` and of `Error.stackTraceLimit`. */
export function stackHere(): string {
  const limit = Object.getOwnPropertyDescriptor(Error, "stackTraceLimit");
  if (limit !== undefined && limit.configurable !== true) return stackText(new Error("here"));
  Object.defineProperty(Error, "stackTraceLimit", { value: mostFrames, configurable: true, writable: true });
  try {
    return stackText(new Error("here"));
  } finally {
    if (limit === undefined) Reflect.deleteProperty(Error, "stackTraceLimit");
    else Object.defineProperty(Error, "stackTraceLimit", limit);
  }
}
