import type { Logger } from "pino";
import type { Callable, Reader, Writer } from "../codec/codec.ts";
import { messageTypes } from "../protocol/reading.ts";
import type { BoundMethod, MethodCall } from "./bound-method.ts";
import { plainStyle } from "./callback-style.ts";
import { methodOf } from "./handler-method.ts";

/** What the Apache compiler generates for `js:node`: a method `process_NAME` for each of the service's. */
export interface GeneratedProcessor {
  process(input: unknown, output: unknown): unknown;
  readonly _handler: object;
}

export type ProcessMethod = (sequenceId: number, input: unknown, output: unknown) => void;

const prefix = "process_";

/** The names of a processor's methods, those of the services that its own extends among them. */
export function methodNames(processor: object): string[] {
  const names = new Set<string>();
  for (
    let each: object | null = processor;
    each !== null && each !== Object.prototype;
    each = Object.getPrototypeOf(each) as object | null
  ) {
    for (const name of Object.getOwnPropertyNames(each)) if (name.startsWith(prefix)) names.add(name.slice(prefix.length));
  }
  return [...names];
}

/** The methods of a processor; those that its handler lacks are not among them. */
export function generatedMethods(processor: GeneratedProcessor, passContext: boolean, log: Logger): BoundMethod[] {
  return methodNames(processor).flatMap((name) => {
    const own = methodOf(processor._handler, name);
    return own === undefined ? [] : [new GeneratedMethod(processor, name, own, passContext, log)];
  });
}

/**
 * Calls generated code with a handler of ours, which hands the arguments on to the app's and keeps the callback:
 * called with the result, it makes the generated code write it.
 */
class GeneratedMethod implements BoundMethod {
  readonly name: string;
  readonly oneway = undefined;
  private readonly process: ProcessMethod;
  /** What `process` runs on: the processor, but with the handler of ours. */
  private readonly self: object;
  private readonly log: Logger;
  /** What the handler gave, while `call` lasts. */
  private given: unknown = undefined;
  private request: MethodCall | undefined = undefined;

  constructor(processor: GeneratedProcessor, name: string, own: Callable, passContext: boolean, log: Logger) {
    this.name = name;
    this.log = log;
    this.process = (processor as unknown as Record<string, ProcessMethod>)[prefix + name] as ProcessMethod;
    this.self = Object.create(processor, { _handler: { value: this.handlerFor(processor._handler, own, passContext) } }) as object;
  }

  call(reader: Reader, writer: Writer, request: MethodCall): unknown {
    this.request = request;
    this.given = undefined;
    this.process.call(this.self, request.sequenceId, reader, writer);
    const { given } = this;
    this.given = undefined;
    return given;
  }

  writeResult(_writer: Writer, request: MethodCall, value: unknown): void {
    // The generated code knows a missing error as null only.
    request.generatedCallback?.(null, value);
  }

  writeError(writer: Writer, request: MethodCall, error: unknown): boolean {
    // To generated code, a callback without an error is one with a result.
    if (error === undefined || error === null) return false;
    writer.messageType = messageTypes.exception;
    request.generatedCallback?.(error);
    return writer.messageType === messageTypes.reply;
  }

  private handlerFor(handler: object, own: Callable, passContext: boolean): object {
    let callee: Callable | undefined;
    const take = (request: MethodCall, values: unknown[]): void => {
      if (typeof values.at(-1) === "function") request.generatedCallback = values.pop() as MethodCall["generatedCallback"];
      if (passContext) values.unshift(request);
      callee ??= plainStyle(own, values.length, this.name, this.log);
      this.given = Reflect.apply(callee, handler, values);
    };
    const method = (...values: unknown[]): void => take(this.request as MethodCall, values);
    // Generated code looks at the number of parameters: with as many as there are arguments it would await a
    // promise and write the answer itself.
    Object.defineProperty(method, "length", { value: -1 });
    return { [this.name]: method };
  }
}
