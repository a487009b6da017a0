import { wrongApp } from "@tsserve/config";
import type { Health } from "@tsserve/server";
import type { Logger } from "pino";
import type { ThriftService } from "../service/load-service.ts";
import type { BoundMethod } from "./bound-method.ts";
import { generatedMethods, methodNames, type GeneratedProcessor } from "./generated-app.ts";
import { healthMethod, healthMethodName } from "./health-method.ts";
import { loadedMethods } from "./loaded-app.ts";

/** A service of a .thrift file, or what the Apache compiler generated of one, with the object that answers. */
export interface ServiceApp {
  /** What `loadService` gives, a generated module (`require("./gen-nodejs/Echo")`), or its `Processor`. */
  readonly service: ThriftService | GeneratedModule | ProcessorClass;
  /** An object with a function for each method: it gives a value or a promise, or takes Apache's callback as its last parameter. */
  readonly handler: object;
  /** Whether the methods take the request's context as their first parameter. Default false: `currentRequest()` gives it too. */
  readonly passContext?: boolean;
}

export type ProcessorClass = new (handler: object) => GeneratedProcessor;

export interface GeneratedModule {
  readonly Processor: ProcessorClass;
}

/** Several services behind one port, as Apache's `MultiplexedProcessor` has them: methods are called `NAME:method`. */
export interface MultiplexedApp {
  readonly services: Readonly<Record<string, ServiceApp | GeneratedProcessor>>;
}

export type ThriftApp = ServiceApp | MultiplexedApp | GeneratedProcessor;

const serves =
  "tsserve/thrift serves a Processor that the Apache compiler generated, { service, handler } or { services: { NAME: … } }; service is what loadService gives, or a generated module";

/**
 * What an app answers to, by the name that is called.
 *
 * @param log told of a handler that is not what it seems, when it is called
 * @throws {TsserveError} when it is none, or a handler lacks methods
 */
export function openApp(app: unknown, health: Health, log: Logger): ReadonlyMap<string, BoundMethod> {
  const services: (readonly [prefix: string, methods: readonly BoundMethod[]])[] = isMultiplexed(app)
    ? Object.entries(app.services).map(([name, each]) => [`${name}:`, methodsOf(each, ` of services.${name}`, log)])
    : [["", methodsOf(app, "", log)]];
  const methods = new Map<string, BoundMethod>();
  for (const [prefix, own] of services) for (const method of own) methods.set(prefix + method.name, method);
  for (const name of [healthMethodName, ...services.map(([prefix]) => prefix + healthMethodName)]) {
    if (!methods.has(name)) methods.set(name, healthMethod(health));
  }
  return methods;
}

/** @param within where in a multiplexed app it is */
function methodsOf(app: unknown, within: string, log: Logger): readonly BoundMethod[] {
  if (isProcessor(app)) return complete(methodNames(app), generatedMethods(app, false, log), within);
  if (typeof app !== "object" || app === null || !("service" in app)) {
    const hint = app === undefined && within === "" ? " (does it return the app?)" : "";
    throw wrongApp(`${describe(app)}${within}${hint}`, serves);
  }
  const { service, handler, passContext = false } = app as ServiceApp;
  if (typeof handler !== "object" || handler === null)
    throw wrongApp(`${describe(handler)} as handler${within}, expected an object with a function for each method`);
  if (isLoaded(service)) {
    for (const warning of service.warnings) log.warn(warning.message);
    return complete([...service.definition.methods.keys()], loadedMethods(service, handler, passContext, log), within);
  }
  const Processor = typeof service === "function" ? service : (service as Partial<GeneratedModule> | null)?.Processor;
  if (typeof Processor !== "function") throw wrongApp(`${describe(service)} as service${within}`, serves);
  const processor = new Processor(handler);
  if (!isProcessor(processor)) throw wrongApp(`a service${within} that makes no Processor`, serves);
  return complete(methodNames(processor), generatedMethods(processor, passContext, log), within);
}

/** A method without a handler would be found out by its first caller. */
function complete(names: readonly string[], methods: readonly BoundMethod[], within: string): readonly BoundMethod[] {
  const missing = names.filter((name) => name !== healthMethodName && !methods.some((method) => method.name === name));
  if (missing.length > 0) throw wrongApp(`a handler${within} without a function for ${missing.join(", ")}`);
  return methods;
}

function isProcessor(app: unknown): app is GeneratedProcessor {
  return typeof app === "object" && app !== null && "_handler" in app && typeof (app as GeneratedProcessor).process === "function";
}

function isMultiplexed(app: unknown): app is MultiplexedApp {
  if (typeof app !== "object" || app === null || !("services" in app)) return false;
  return typeof app.services === "object" && app.services !== null;
}

function isLoaded(service: unknown): service is ThriftService {
  return typeof service === "object" && service !== null && "codecs" in service && "definition" in service;
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "function") return `the function ${value.name || "without a name"}`;
  return typeof value === "object" ? `an object with ${Object.keys(value).slice(0, 5).join(", ") || "nothing in it"}` : `a ${typeof value}`;
}
