import { ActiveRequest, type RequestDescription } from "@tsserve/server";
import type { Logger } from "pino";
import type { HeaderBlocks, Headers } from "../wire/header-blocks.ts";
import type { ProtocolName } from "../wire/types.ts";
import type { BoundMethod, MethodCall } from "./bound-method.ts";
import type { RequestOrigin } from "./request-origin.ts";
import { findHeader, traceOf, type Trace } from "./trace.ts";

/** How a message was wrapped: the answer is wrapped in the same way. */
export type MessageForm = "unframed" | "framed" | "header";

const noHeaders: Headers = new Map();
/** Set by a client that takes answers in any order (fbthrift's THeader). */
const outOfOrderFlag = 1;

/** A request while it lasts, and the context that its handler gets. Everything that is not always needed is made when asked for. */
export class ThriftRequest extends ActiveRequest implements MethodCall {
  readonly connection: RequestOrigin;
  readonly bound: BoundMethod;
  readonly form: MessageForm;
  readonly protocol: ProtocolName;
  readonly sequenceId: number;
  readonly startedAt: number;
  /** Whether the client gets an answer: not to a one-way call. */
  isAnswered: boolean;
  /** The headers of a THeader frame, read when they are asked for. */
  headerBlocks: HeaderBlocks | undefined = undefined;
  /** Of the THeader frame. */
  headerSequenceId = 0;
  headerFlags = 0;
  /** Its place among the requests of the connection that get an answer. */
  order = 0;
  /** Whether it is over: answered, dropped or cut. */
  isOver = false;
  generatedCallback: ((error: unknown, value?: unknown) => void) | undefined = undefined;
  /** When the caller stops waiting, on the clock of `performance.now`. */
  deadlineAt: number | undefined = undefined;
  deadlineTimer: NodeJS.Timeout | undefined = undefined;
  private aborting: AbortController | undefined = undefined;
  private knownTrace: Trace | undefined = undefined;
  private knownResponseHeaders: Map<string, string> | undefined = undefined;
  private knownLog: Logger | undefined = undefined;

  constructor(
    connection: RequestOrigin,
    bound: BoundMethod,
    form: MessageForm,
    protocol: ProtocolName,
    sequenceId: number,
    oneway: boolean,
    startedAt: number,
  ) {
    super();
    this.connection = connection;
    this.bound = bound;
    this.form = form;
    this.protocol = protocol;
    this.sequenceId = sequenceId;
    this.isAnswered = !oneway;
    this.startedAt = startedAt;
  }

  /** Whether its answer waits for those before it. */
  get isOrdered(): boolean {
    return (this.headerFlags & outOfOrderFlag) === 0;
  }

  get method(): string {
    return this.bound.name;
  }

  get headers(): Headers {
    return this.headerBlocks?.all ?? noHeaders;
  }

  header(name: string): string | undefined {
    return findHeader(this.headers, name);
  }

  get responseHeaders(): Map<string, string> {
    return (this.knownResponseHeaders ??= new Map());
  }

  /** Those that were set, without making any. */
  get setResponseHeaders(): Map<string, string> | undefined {
    return this.knownResponseHeaders;
  }

  get trace(): Trace {
    return (this.knownTrace ??= traceOf((name) => this.header(name)));
  }

  get edgeRequest(): Buffer | undefined {
    const value = this.header("Edge-Request");
    return value === undefined ? undefined : Buffer.from(value, "latin1");
  }

  get remainingMs(): number | undefined {
    return this.deadlineAt === undefined ? undefined : Math.max(0, this.deadlineAt - performance.now());
  }

  get signal(): AbortSignal {
    this.aborting ??= new AbortController();
    if (this.isOver && !this.aborting.signal.aborted) this.aborting.abort();
    return this.aborting.signal;
  }

  /** Tells the handler that nobody waits for it any more. */
  abort(reason: Error): void {
    this.aborting ??= new AbortController();
    this.aborting.abort(reason);
  }

  get client(): string | undefined {
    return this.connection.socket.remoteAddress;
  }

  get log(): Logger {
    if (this.knownLog === undefined) {
      const { traceId, spanId } = this.trace;
      this.knownLog = this.connection.log.child({ trace_id: traceId, span_id: spanId });
    }
    return this.knownLog;
  }

  override describe(): RequestDescription {
    return { method: "thrift", route: this.method, ageMs: Math.round(performance.now() - this.startedAt), client: this.client };
  }
}
