/**
 * Thrift for tsserve: the server factory `tsserve/thrift`, which serves every client on one port, and
 * `loadService`, which makes a service of its IDL without generated code.
 *
 *     const service = loadService("./echo.thrift", "Echo");
 *     export const makeApp = () => ({ service, handler: { echo: (text) => text } });
 */
export { ApplicationError, applicationErrors } from "./application-error.ts";
export { makeClient } from "./client/make-client.ts";
export { TransportError } from "./client/transport-error.ts";
export { IdlError } from "./idl/idl-error.ts";
export { loadIdl } from "./idl/load-idl.ts";
export { parseIdl } from "./idl/parse-idl.ts";
export { makeServer } from "./server/make-server.ts";
export { currentRequest } from "./server/request-context.ts";
export { settings, thriftSettings as parseSettings } from "./server/settings.ts";
export { baseplateService } from "./service/baseplate-service.ts";
export { warningsOf } from "./idl/visible-names.ts";
export { idlFiles, idlFilesIn } from "./service/idl-files.ts";
export { loadService } from "./service/load-service.ts";
export { writeTypes } from "./types/write-types.ts";
export { ProtocolError } from "./wire/protocol-error.ts";

export type { AnyMethods, CallOptions, ThriftClient } from "./client/make-client.ts";
export type { ClientForm, ClientOptions } from "./client/options.ts";
export type { TransportErrorCode } from "./client/transport-error.ts";
export type { I64Mode } from "./codec/codec.ts";
export type { ExceptionClass } from "./codec/exception-class.ts";
export type { IdlSource } from "./idl/load-idl.ts";
export type { Constant, Enum, Field, Idl, Method, Service, Struct, Type } from "./idl/model.ts";
export type { FileSyntax, Place, Requiredness } from "./idl/syntax.ts";
export type { GeneratedModule, MultiplexedApp, ProcessorClass, ServiceApp, ThriftApp } from "./server/open-app.ts";
export type { ThriftSettings } from "./server/settings.ts";
export type { ThriftContext } from "./server/thrift-context.ts";
export type { Trace } from "./server/trace.ts";
export type { AnyDefinitions } from "./service/definitions.ts";
export type { LoadedService, LoadServiceOptions, ThriftService } from "./service/load-service.ts";
