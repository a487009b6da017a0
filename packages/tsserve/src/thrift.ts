/** `factory = tsserve/thrift` */
export {
  ApplicationError,
  applicationErrors,
  currentRequest,
  IdlError,
  loadService,
  makeClient,
  makeServer,
  parseSettings,
  settings,
  TransportError,
} from "@tsserve/thrift";
export type {
  CallOptions,
  ClientForm,
  ClientOptions,
  AnyDefinitions,
  LoadedService,
  LoadServiceOptions,
  MultiplexedApp,
  ServiceApp,
  ThriftApp,
  ThriftClient,
  ThriftContext,
  ThriftService,
  ThriftSettings,
  Trace,
} from "@tsserve/thrift";
