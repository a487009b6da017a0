import {
  boolean,
  ConfigurationError,
  dictOf,
  integer,
  isConfigurationError,
  optional,
  parseConfig,
  positive,
  type ResolvedSection,
} from "@tsserve/config";

/** What a database grants to this service. */
export interface PoolSetting {
  /** The connections of all its processes together. */
  readonly maxConnections: number;
  /** Whether more of them are an error at the start, rather than a warning. */
  readonly strict: boolean;
}

/** By the name that the app registers the pool with. */
export type PoolSettings = ReadonlyMap<string, PoolSetting>;

const poolSpec = { max_connections: positive(integer), strict: optional(boolean, false) };

/**
 * The keys `pool.NAME.max_connections` and `pool.NAME.strict` of the app's section.
 *
 * @throws {ConfigurationError} with their places
 */
export function poolSettings(app: ResolvedSection | undefined): PoolSettings {
  if (app === undefined) return new Map();
  try {
    const { pool } = parseConfig(app.values, { pool: optional(dictOf(poolSpec), {}) });
    return new Map(Object.entries(pool).map(([name, { max_connections, strict }]) => [name, { maxConnections: max_connections, strict }]));
  } catch (error) {
    throw isConfigurationError(error) ? new ConfigurationError(app.locate(error.problems)) : error;
  }
}
