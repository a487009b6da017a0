import type { Logger } from "pino";
import type { Callable, MethodCodec, Reader, Writer } from "../codec/codec.ts";
import type { Method } from "../idl/model.ts";
import { messageTypes } from "../protocol/reading.ts";
import type { ThriftService } from "../service/load-service.ts";
import type { BoundMethod, MethodCall } from "./bound-method.ts";
import { plainStyle } from "./callback-style.ts";
import { methodOf } from "./handler-method.ts";

/** The methods of a service that was loaded from its IDL; those that the handler lacks are not among them. */
export function loadedMethods({ definition, codecs }: ThriftService, handler: object, passContext: boolean, log: Logger): BoundMethod[] {
  return [...definition.methods.values()].flatMap((method) => {
    const own = methodOf(handler, method.name);
    if (own === undefined) return [];
    const binary = codecs.binary.get(method.name) as MethodCodec;
    const compact = codecs.compact.get(method.name) as MethodCodec;
    const callee = plainStyle(own, method.args.fields.length + (passContext ? 1 : 0), method.name, log);
    return [new LoadedMethod(method, { binary, compact }, handler, callee, passContext)];
  });
}

class LoadedMethod implements BoundMethod {
  readonly name: string;
  readonly oneway: boolean;
  private readonly binary: MethodCodec;
  private readonly compact: MethodCodec;
  private readonly handler: object;
  private readonly callee: Callable;
  private readonly passContext: boolean;

  constructor(
    { name, oneway }: Method,
    { binary, compact }: { readonly binary: MethodCodec; readonly compact: MethodCodec },
    handler: object,
    callee: Callable,
    passContext: boolean,
  ) {
    this.name = name;
    this.oneway = oneway;
    this.binary = binary;
    this.compact = compact;
    this.handler = handler;
    this.callee = callee;
    this.passContext = passContext;
  }

  call(reader: Reader, _writer: Writer, request: MethodCall): unknown {
    return this.codec(request).call(reader, this.callee, this.handler, this.passContext ? request : undefined);
  }

  writeResult(writer: Writer, request: MethodCall, value: unknown): void {
    writer.writeMessageBegin(this.name, messageTypes.reply, request.sequenceId);
    this.codec(request).writeResult(writer, value);
  }

  writeError(writer: Writer, request: MethodCall, error: unknown): boolean {
    writer.writeMessageBegin(this.name, messageTypes.reply, request.sequenceId);
    return this.codec(request).writeError(writer, error);
  }

  private codec(request: MethodCall): MethodCodec {
    return request.protocol === "binary" ? this.binary : this.compact;
  }
}
