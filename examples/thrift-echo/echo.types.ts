// Written by `tsserve thrift-types` from echo.thrift: change that file, not this one.
import type { ThriftContext } from "tsserve/thrift";

/** What a greeting may be like. */
export type Tone = 1 | 2;
/** The values of `Tone`, as `service.enums.Tone` has them. */
export interface ToneValues {
  readonly PLAIN: 1;
  readonly LOUD: 2;
}

export interface Greeting {
  text: string;
  tone: Tone;
  /** Milliseconds since 1970. */
  said_at?: bigint | undefined;
}

/** There is nobody of that name. */
export interface NotFoundFields {
  who?: string | undefined;
}
/** Thrown as `new service.exceptions.NotFound({ … })`. */
export type NotFound = Error & NotFoundFields;

/** `loadService<Definitions>("./echo.thrift", …)` */
export interface Definitions {
  readonly exceptions: {
    readonly NotFound: new (fields?: NotFoundFields) => NotFound;
  };
  readonly enums: {
    readonly Tone: ToneValues;
  };
  readonly constants: {};
}

export interface EchoHandler {
  /** Gives back what it gets. */
  echo(greeting: Greeting): Greeting | Promise<Greeting>;
  greet(name: string, tone: Tone): Greeting | Promise<Greeting>;
  forget(name: string): void | Promise<void>;
}

/** With `passContext: true`. */
export interface EchoContextHandler {
  /** Gives back what it gets. */
  echo(context: ThriftContext, greeting: Greeting): Greeting | Promise<Greeting>;
  greet(context: ThriftContext, name: string, tone: Tone): Greeting | Promise<Greeting>;
  forget(context: ThriftContext, name: string): void | Promise<void>;
}

/** `makeClient<EchoClient>(service, { endpoint })` */
export interface EchoClient {
  /** Gives back what it gets. */
  echo(greeting: Greeting): Promise<Greeting>;
  greet(name: string, tone: Tone): Promise<Greeting>;
  forget(name: string): Promise<void>;
}
