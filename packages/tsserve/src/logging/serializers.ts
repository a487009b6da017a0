import { asError, maskSecret, readField, stackText } from "@tsserve/config";

type Fields = Readonly<Record<string, unknown>>;

/** What can be read; of a thing whose getters throw, nothing. */
function carefully<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function careful(read: () => Fields): Fields {
  return carefully(read) ?? {};
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}

/**
 * A request as Fastify's own logger writes one, whoever's request it is (Node's, Fastify's, Express's, Koa's, a web standard one,
 * or what pino made of Node's): never its headers, cookies or body.
 */
export function requestFields(request: unknown): unknown {
  if (!isObject(request)) return request;
  return careful(() => {
    const raw = isObject(request["raw"]) ? request["raw"] : isObject(request["req"]) ? request["req"] : request;
    const headers = isObject(request["headers"]) ? request["headers"] : {};
    const socket = isObject(raw["socket"]) ? raw["socket"] : {};
    return {
      method: request["method"],
      url: shownUrl(request["originalUrl"] ?? request["url"]),
      host: shortText(request["host"]) ?? shortText(headers["host"]),
      remoteAddress: shortText(request["ip"]) ?? shortText(request["remoteAddress"]) ?? socket["remoteAddress"],
      remotePort: socket["remotePort"] ?? request["remotePort"],
    };
  });
}

/** An answer as Fastify's own logger writes one: its status, and no more. */
export function responseFields(response: unknown): unknown {
  if (!isObject(response)) return response;
  return careful(() => ({ statusCode: response["statusCode"] ?? response["status"] }));
}

const longestUrl = 2000;

/** Without what the values of a query hide by their names: `?token=****`. */
function shownUrl(url: unknown): unknown {
  if (typeof url !== "string") return undefined;
  const start = url.indexOf("?");
  const shown = start === -1 ? url : url.slice(0, start + 1) + url.slice(start + 1).replaceAll(/([^&=]*)=([^&]*)/g, maskParameter);
  return shown.length > longestUrl ? `${shown.slice(0, longestUrl)}…` : shown;
}

function maskParameter(_whole: string, name: string, value: string): string {
  return `${name}=${maskSecret(name, value)}`;
}

function shortText(value: unknown): string | undefined {
  return typeof value === "string" ? value.slice(0, 255) : undefined;
}

const longestText = 4000;
const mostFields = 30;
const mostCauses = 5;
const deepest = 4;

/** What errors of HTTP clients and frameworks carry along: whole messages, with the headers and bodies of either side. */
const messageParts =
  /^(?:raw)?headers?$|cookie|authorization|^(?:raw)?body$|^data$|^payload$|^req(?:uest)?$|^res(?:ponse)?$|^reply$|^config$|^options$|^socket$|^ctx$|^context$|^input$/i;

/** An error with its type, message and stack, its causes, and those of its own fields that hold no message of HTTP. */
export function errorFields(thrown: unknown): unknown {
  if (!isObject(thrown) && typeof thrown !== "function") return thrown;
  return careful(() => describeError(thrown, 0, new Set()));
}

function describeError(thrown: unknown, depth: number, seen: Set<unknown>): Fields {
  seen.add(thrown);
  const error = asError(thrown) as Error & Fields;
  const causes: unknown = error["errors"];
  return {
    type: typeOf(error),
    message: cut(error.message),
    stack: cut(stackText(error)),
    ...careful(() => ownFields(error)),
    ...(error.cause === undefined || error.cause === null || depth >= mostCauses ? {} : { cause: partOf(error.cause, depth, seen) }),
    ...(Array.isArray(causes) && depth < mostCauses
      ? { aggregateErrors: causes.slice(0, mostCauses).map((each) => partOf(each, depth, seen)) }
      : {}),
  };
}

function partOf(cause: unknown, depth: number, seen: Set<unknown>): unknown {
  if (seen.has(cause)) return "an error that is told of above";
  return isObject(cause) ? describeError(cause, depth + 1, seen) : shownValue(cause, 0);
}

function typeOf(error: Error): string {
  // A class that sets no name of its own inherits that of `Error`.
  if (typeof error.name === "string" && error.name !== "" && error.name !== "Error") return error.name;
  const className = readField(error.constructor, "name");
  return typeof className === "string" && className !== "" ? className : "Error";
}

const told = new Set(["type", "message", "stack", "name", "cause", "errors"]);

function ownFields(error: Fields): Fields {
  const fields: [string, unknown][] = [];
  for (const key of Object.keys(error)) {
    if (told.has(key) || messageParts.test(key) || fields.length >= mostFields) continue;
    const value = carefully(() => shownValue(readField(error, key), 1, key));
    if (value !== undefined) fields.push([key, value]);
  }
  return Object.fromEntries(fields);
}

/** Texts, numbers, and plain things made of them; messages, sockets, buffers and functions are left out. */
function shownValue(value: unknown, depth: number, key = ""): unknown {
  if (typeof value === "string") return cut(maskSecret(key, value));
  if (typeof value === "number" || typeof value === "boolean" || value === null) return value;
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || depth >= deepest) return undefined;
  if (Array.isArray(value)) return value.slice(0, mostFields).map((each) => shownValue(each, depth + 1, key));
  if (value instanceof Date) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) return undefined;
  const entries = Object.entries(value).slice(0, mostFields);
  return Object.fromEntries(
    entries.filter(([name]) => !messageParts.test(name)).map(([name, each]) => [name, shownValue(each, depth + 1, name)]),
  );
}

function cut(text: string): string {
  return text.length > longestText ? `${text.slice(0, longestText)}… (${text.length - longestText} more)` : text;
}

/** What is logged under another name than `req` and `res`, and is a message all the same, is written as they are. */
export function withoutMessages(fields: Record<string, unknown>): Record<string, unknown> {
  let copy: Record<string, unknown> | undefined;
  for (const [key, value] of Object.entries(fields)) {
    if (!isObject(value) || key === "req" || key === "res" || key === "err") continue;
    const shown = messageFields(value);
    if (shown !== value) (copy ??= { ...fields })[key] = shown;
  }
  return copy ?? fields;
}

function messageFields(value: Fields): unknown {
  try {
    // An error that is logged under a name of its own has no serializer of that name.
    if (value instanceof Error) return errorFields(value);
    if (typeof value["method"] === "string" && isObject(value["headers"])) return requestFields(value);
    if (typeof value["getHeader"] === "function" || (isObject(value["headers"]) && "statusCode" in value)) return responseFields(value);
    // Koa's context, and Hono's.
    if (isObject(value["req"]) && (isObject(value["res"]) || isObject(value["request"]))) return requestFields(value["req"]);
    return value;
  } catch {
    return {};
  }
}
