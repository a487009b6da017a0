import type { Callable, Reader, Writer } from "../codec/codec.ts";
import { messageTypes } from "../protocol/reading.ts";
import type { BoundMethod } from "./bound-method.ts";
import { plainStyle } from "./invoke-handler.ts";
import type { ThriftRequest } from "./thrift-request.ts";

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
export function generatedMethods(processor: GeneratedProcessor, passContext: boolean): BoundMethod[] {
  const handler = processor._handler as Readonly<Record<string, unknown>>;
  return methodNames(processor)
    .filter((name) => typeof handler[name] === "function")
    .map((name) => new GeneratedMethod(processor, name, passContext));
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
  /** What the handler gave, while `call` lasts. */
  private given: unknown = undefined;
  private request: ThriftRequest | undefined = undefined;

  constructor(processor: GeneratedProcessor, name: string, passContext: boolean) {
    this.name = name;
    this.process = (processor as unknown as Record<string, ProcessMethod>)[prefix + name] as ProcessMethod;
    this.self = Object.create(processor, { _handler: { value: this.handlerFor(processor._handler, passContext) } }) as object;
  }

  call(reader: Reader, writer: Writer, request: ThriftRequest): unknown {
    this.request = request;
    this.given = undefined;
    this.process.call(this.self, request.sequenceId, reader, writer);
    const { given } = this;
    this.given = undefined;
    return given;
  }

  writeResult(_writer: Writer, request: ThriftRequest, value: unknown): void {
    // The generated code knows a missing error as null only.
    request.generatedCallback?.(null, value);
  }

  writeError(writer: Writer, request: ThriftRequest, error: unknown): boolean {
    // To generated code, a callback without an error is one with a result.
    if (error === undefined || error === null) return false;
    writer.messageType = messageTypes.exception;
    request.generatedCallback?.(error);
    return writer.messageType === messageTypes.reply;
  }

  private handlerFor(handler: object, passContext: boolean): object {
    const own = (handler as Record<string, Callable>)[this.name] as Callable;
    let callee: Callable | undefined;
    const take = (request: ThriftRequest, values: unknown[]): void => {
      if (typeof values.at(-1) === "function") request.generatedCallback = values.pop() as ThriftRequest["generatedCallback"];
      if (passContext) values.unshift(request);
      callee ??= plainStyle(own, values.length);
      this.given = Reflect.apply(callee, handler, values);
    };
    const method = (...values: unknown[]): void => take(this.request as ThriftRequest, values);
    // Generated code looks at the number of parameters: with as many as there are arguments it would await a
    // promise and write the answer itself.
    Object.defineProperty(method, "length", { value: -1 });
    return { [this.name]: method };
  }
}
