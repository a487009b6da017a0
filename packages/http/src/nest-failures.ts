import type { IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import { readField } from "@tsserve/config";
import { isServerFault, tellFailure } from "./framework-failures.ts";

/** What is used of Nest's `ArgumentsHost`. */
interface ArgumentsHost {
  getArgByIndex(index: number): unknown;
}

/** `BaseExceptionFilter` of `@nestjs/core`, which answers whatever no filter of the app does, and what filters made from it pass on. */
interface ExceptionFilter {
  catch(this: unknown, exception: unknown, host: ArgumentsHost): unknown;
}

type LoadedModules = Readonly<Record<string, { readonly exports: unknown } | undefined>>;

const isFollowed = Symbol.for("tsserve.nestFailures");
const file = /[\\/]@nestjs[\\/]core[\\/]exceptions[\\/]base-exception-filter\.js$/;

/**
 * Follows the failures of NestJS apps: Nest answers all of them itself, and tells its own logger alone. Its default filter is a class that
 * apps extend, with one public method for that (docs.nestjs.com/exception-filters#inheritance): that of each copy which is loaded tells of what it
 * answered with 500 or above. A filter of the app's that answers by itself is not seen.
 *
 * @param loaded the modules of CommonJS, by file: Nest is one in all of its versions
 */
export function followNestFailures(loaded: LoadedModules = createRequire(import.meta.url).cache): void {
  for (const [name, module] of Object.entries(loaded)) {
    if (!file.test(name)) continue;
    const prototype = prototypeOf(readField(module?.exports, "BaseExceptionFilter"));
    if (typeof prototype?.catch !== "function" || Object.hasOwn(prototype, isFollowed)) continue;
    const answer = prototype.catch;
    Object.defineProperty(prototype, isFollowed, { value: true });
    prototype.catch = function (exception, host) {
      const given = answer.call(this, exception, host);
      tellOf(exception, host);
      return given;
    };
  }
}

function prototypeOf(given: unknown): ExceptionFilter | undefined {
  return typeof given === "function" ? (given.prototype as ExceptionFilter) : undefined;
}

/** By what was answered: Nest has rules of its own for which status an error stands for. */
function tellOf(exception: unknown, host: ArgumentsHost): void {
  const [request, response] = [host.getArgByIndex(0), host.getArgByIndex(1)];
  const status = readField(response, "statusCode");
  if (!isServerFault(exception, typeof status === "number" ? status : undefined)) return;
  // Fastify's request has Node's below.
  tellFailure((readField(request, "raw") ?? request) as IncomingMessage | undefined, exception, "the app");
}
