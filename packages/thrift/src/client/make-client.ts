import { didYouMean } from "@tsserve/config";
import { timerMs, traceScope, type PoolFigures } from "@tsserve/server";
import type { MethodCodec } from "../codec/codec.ts";
import { currentRequest } from "../server/request-context.ts";
import type { ThriftService } from "../service/load-service.ts";
import type { Call } from "./call.ts";
import type { ClientConnection } from "./client-connection.ts";
import { clientMetrics } from "./client-metrics.ts";
import { clientSettings, type ClientOptions, type ClientSettings } from "./options.ts";
import { outgoingHeaders } from "./outgoing-headers.ts";
import { Pool } from "./pool.ts";
import { TransportError } from "./transport-error.ts";

export interface CallOptions {
  /** Milliseconds; default the client's `timeoutMs`. Never longer than the request that the caller answers may take. */
  readonly timeoutMs?: number;
  /** Further headers, values as latin1; only THeader carries them. */
  readonly headers?: Readonly<Record<string, string>>;
}

// oxlint-disable-next-line typescript/no-explicit-any -- what the IDL says; `tsserve thrift-types` writes the types of it
export type AnyMethods = Record<string, (...args: any[]) => Promise<any>>;

export interface ThriftClient<Methods = AnyMethods> {
  /** A function for each method of the service. */
  readonly methods: Methods;
  /**
   * Calls a method by its name.
   *
   * @throws the declared exception that came; {ApplicationError}; {TransportError}; {TypeError} for an argument that does not fit
   */
  call(method: string, values: readonly unknown[], options?: CallOptions): Promise<unknown>;
  /** The pool's figures: `context.registerPool("echo", () => client.figures())`. */
  figures(): PoolFigures;
  /** Closes all connections; calls in progress fail. */
  close(): void;
}

/** Makes a client of a service that was loaded from its IDL. Connects when it is first called. @throws {TypeError} for an option that can't be */
export function makeClient<Methods = AnyMethods>(service: ThriftService, options: ClientOptions): ThriftClient<Methods> {
  const settings = clientSettings(options);
  const pool = new Pool(settings);
  const metrics = settings.metrics && clientMetrics(settings.metrics);
  const codecs = service.codecs[settings.protocol];
  // Only THeader carries a trace.
  if (settings.wrapping === "header") traceScope().want();

  const call = async (method: string, values: readonly unknown[], { timeoutMs, headers }: CallOptions = {}): Promise<unknown> => {
    const definition = service.definition.methods.get(method);
    if (definition === undefined)
      throw new TypeError(
        `the service ${service.name} has no method "${method}"${didYouMean(method, [...service.definition.methods.keys()])}`,
      );
    const request = currentRequest();
    const budgetMs = Math.min(timeoutMs ?? settings.timeoutMs, request?.remainingMs ?? Number.POSITIVE_INFINITY);
    const startedAt = performance.now();
    metrics?.begin(method, settings.name);
    try {
      const value = await send(pool, settings, {
        method,
        oneway: definition.oneway,
        codec: codecs.get(method) as MethodCodec,
        values,
        headers: outgoingHeaders(settings, request, budgetMs, headers),
        budgetMs,
      });
      metrics?.end(method, settings.name, startedAt, undefined);
      return value;
    } catch (error) {
      metrics?.end(method, settings.name, startedAt, error ?? new Error("no reason"));
      throw error;
    }
  };

  const methods = Object.fromEntries(
    [...service.definition.methods.keys()].map((name) => [name, (...values: unknown[]) => call(name, values)]),
  );
  return { methods: methods as Methods, call, figures: () => pool.figures(), close: () => pool.close() };
}

type Outgoing = Omit<Call, "resolve" | "reject"> & { readonly budgetMs: number };

function send(pool: Pool, { endpoint, timeoutMs }: ClientSettings, { budgetMs, ...outgoing }: Outgoing): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let connection: ClientConnection | undefined;
    let isOver = false;
    // Connecting and waiting for a connection have limits of their own.
    const expire = (): void => {
      const where = "path" in endpoint ? endpoint.path : `${endpoint.host}:${endpoint.port}`;
      finish(() => reject(new TransportError("TIMED_OUT", `${outgoing.method}: no answer from ${where} within ${Math.ceil(budgetMs)} ms`)));
      connection?.forget(call);
    };
    const timer = setTimeout(expire, timerMs(budgetMs === Number.POSITIVE_INFINITY ? timeoutMs : budgetMs));
    const finish = (settle: () => void): void => {
      isOver = true;
      clearTimeout(timer);
      settle();
    };
    const call: Call = {
      ...outgoing,
      resolve: (value) => finish(() => resolve(value)),
      reject: (error) => finish(() => reject(error as Error)),
    };
    pool.send(call).then(
      (used) => {
        connection = used;
        // The time was up while it waited: nobody wants the answer.
        if (isOver && used.outstanding > 0) used.forget(call);
      },
      (error: unknown) => call.reject(error),
    );
  });
}
