/**
 * What an app or a server factory for tsserve needs: the types of its arguments, the state of the
 * process, and the parsers for its options.
 */
export {
  base64,
  boolean,
  byteSize,
  ConfigurationError,
  defaultFromEnv,
  dictOf,
  endpoint,
  fallback,
  file,
  float,
  integer,
  integerBase,
  oneOf,
  optional,
  parseConfig,
  percent,
  secret,
  string,
  timespan,
  timespanOrInfinite,
  tupleOf,
  unixGroup,
  unixUser,
} from "@tsserve/config";
export { SERVER_STATE } from "@tsserve/server";

export type { ScriptContext } from "./commands/script.ts";

export type { Endpoint, Parsed, Parser, Problem, Spec } from "@tsserve/config";
export type { Listener } from "@tsserve/listener";
export type {
  AppConfig,
  AppContext,
  AppFactory,
  HealthCheck,
  PoolFigures,
  Probe,
  Route,
  Server,
  ServerConfig,
  ServerContext,
  ServerFactory,
  ServerState,
} from "@tsserve/server";
