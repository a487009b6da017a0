import { existsSync } from "node:fs";
import { freePort, until } from "@tsserve/testing";
import { serveFleet, up, type Fleet, type FleetOptions } from "./fleet.ts";
import { scrape } from "./scrape.ts";

export interface MeasuredFleet extends Fleet {
  /** The exporter's port. */
  readonly metrics: number;
}

/** A master with workers, its metrics on a port of their own. */
export async function measuredFleet({ server = "", ...options }: FleetOptions & { readonly workers: number }): Promise<MeasuredFleet> {
  const metrics = await freePort();
  const fleet = await serveFleet({ ...options, server: `metrics.endpoint = 127.0.0.1:${metrics}\n${server}` });
  try {
    await up(fleet, options.workers);
    await until("the exporter", () => scrape(metrics).catch(() => undefined));
  } catch (error) {
    await fleet[Symbol.asyncDispose]();
    throw error;
  }
  return { ...fleet, metrics };
}

/**
 * Whether a program of Debian's is there. Where it is not, its tests are skipped, and say so; in CI, which installs it,
 * they fail. What they show does not depend on the version of Node: they run on one.
 */
export function hasProgram(path: string): boolean {
  if (process.env["TSSERVE_TEST_NODE"] !== undefined) return false;
  if (existsSync(path) || process.env["CI"] === "true") return true;
  console.log(`${path} is not installed: its tests are skipped`);
  return false;
}
