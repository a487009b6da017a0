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
  LoadedService,
  LoadServiceOptions,
  MultiplexedApp,
  ServiceApp,
  ThriftApp,
  ThriftClient,
  ThriftContext,
  ThriftSettings,
  Trace,
} from "@tsserve/thrift";
