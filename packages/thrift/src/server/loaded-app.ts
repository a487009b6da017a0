import type { Callable, MethodCodec, Reader, Writer } from "../codec/codec.ts";
import type { Method } from "../idl/model.ts";
import { messageTypes } from "../protocol/reading.ts";
import type { ThriftService } from "../service/load-service.ts";
import type { BoundMethod } from "./bound-method.ts";
import { plainStyle } from "./invoke-handler.ts";
import type { ThriftRequest } from "./thrift-request.ts";

/** A handler: an object with a function for each method. */
export type Handler = Readonly<Record<string, unknown>>;

/** The methods of a service that was loaded from its IDL; those that the handler lacks are not among them. */
export function loadedMethods({ definition, codecs }: ThriftService, handler: object, passContext: boolean): BoundMethod[] {
  return [...definition.methods.values()].flatMap((method) => {
    const own = (handler as Handler)[method.name];
    if (typeof own !== "function") return [];
    const binary = codecs.binary.get(method.name) as MethodCodec;
    const compact = codecs.compact.get(method.name) as MethodCodec;
    return [new LoadedMethod(method, { binary, compact }, handler, own as Callable, passContext)];
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
    { name, oneway, args }: Method,
    { binary, compact }: { readonly binary: MethodCodec; readonly compact: MethodCodec },
    handler: object,
    own: Callable,
    passContext: boolean,
  ) {
    this.name = name;
    this.oneway = oneway;
    this.binary = binary;
    this.compact = compact;
    this.handler = handler;
    this.callee = plainStyle(own, args.fields.length + (passContext ? 1 : 0));
    this.passContext = passContext;
  }

  call(reader: Reader, _writer: Writer, request: ThriftRequest): unknown {
    return this.codec(request).call(reader, this.callee, this.handler, this.passContext ? request : undefined);
  }

  writeResult(writer: Writer, request: ThriftRequest, value: unknown): void {
    writer.writeMessageBegin(this.name, messageTypes.reply, request.sequenceId);
    this.codec(request).writeResult(writer, value);
  }

  writeError(writer: Writer, request: ThriftRequest, error: unknown): boolean {
    writer.writeMessageBegin(this.name, messageTypes.reply, request.sequenceId);
    return this.codec(request).writeError(writer, error);
  }

  private codec(request: ThriftRequest): MethodCodec {
    return request.protocol === "binary" ? this.binary : this.compact;
  }
}
