/** `factory = tsserve/thrift` */
export { ApplicationError, applicationErrors, currentRequest, loadService, makeServer, parseSettings, settings } from "@tsserve/thrift";
export type {
  LoadedService,
  LoadServiceOptions,
  MultiplexedApp,
  ServiceApp,
  ThriftApp,
  ThriftContext,
  ThriftSettings,
  Trace,
} from "@tsserve/thrift";
