import { ConfigurationError, type ResolvedSection } from "@tsserve/config";
import { poolDemand, type PoolUsers } from "@tsserve/deploy/pool-demand";
import type { Logger } from "pino";
import type { PoolSettings } from "./pool-settings.ts";

export interface PoolCheck {
  /** What the database grants, by the pool's name. */
  readonly settings: PoolSettings;
  /** The most connections that each process keeps, by the pool's name, where the app told it. */
  readonly maxima: ReadonlyMap<string, number>;
  readonly users: PoolUsers;
  /** The app's section, for the places of problems. */
  readonly section: ResolvedSection;
}

/**
 * Compares what the pools of all processes may hold at once, an upgrade's overlap included, with what the database grants.
 * What does not fit is warned of; where the setting is strict, it is an error.
 *
 * @throws {ConfigurationError}
 */
export function checkPools({ settings, maxima, users, section }: PoolCheck, log: Logger): void {
  for (const [name, { maxConnections, strict }] of settings) {
    const max = maxima.get(name);
    if (max === undefined) {
      log.warn({ pool: name }, `pool.${name}.max_connections is not checked: the app registers no pool "${name}" with a { max }`);
      continue;
    }
    const needed = poolDemand(max, users);
    if (needed <= maxConnections) continue;
    const message = `${max} connections a process may be ${needed} at once (${wordsOf(users)}); the database grants ${maxConnections}`;
    if (strict)
      throw new ConfigurationError(section.locate([{ key: `pool.${name}.max_connections`, message, value: String(maxConnections) }]));
    log.warn({ pool: name, needed, granted: maxConnections }, `pool "${name}": ${message}`);
  }
}

function wordsOf({ workers, hasMaster, upgrade }: PoolUsers): string {
  if (!hasMaster) return "one process";
  const overlap = upgrade === "smooth" ? "one more while an upgrade is smooth" : "as many again while the fleet is upgraded";
  return `${workers} worker${workers === 1 ? "" : "s"}, ${overlap}`;
}
