import { existsSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { freePort, until } from "@tsserve/testing";
import { serveFleet, up, type Fleet, type FleetOptions } from "./fleet.ts";
import { scrape } from "./scrape.ts";
import { serve, type Served, type ServeOptions } from "./serve.ts";

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

/** Serves one of the fixtures with its metrics on a port of their own. */
export async function serveMeasured({ server = {}, ...options }: ServeOptions = {}): Promise<
  Served & { readonly metrics: number; readonly url: string }
> {
  const metrics = await freePort();
  const served = serve({ ...options, server: { access_log: "false", "metrics.endpoint": `127.0.0.1:${metrics}`, ...server } });
  const url = await served.listening();
  await served.log(/^metrics at /);
  return { ...served, metrics, url };
}

/** Counts with a copy of prom-client that it imports itself. */
export const countingApp = `import { Counter, Gauge, Histogram, Summary, register } from "${new URL("../../node_modules/prom-client/index.js", import.meta.url).pathname}";
const hits = new Counter({ name: "app_hits_total", help: "Hits.", labelNames: ["kind"] });
const took = new Histogram({ name: "app_took_seconds", help: "How long it took.", buckets: [0.1, 1] });
const gauge = (name, aggregator) => new Gauge({ name, help: "A gauge.", ...(aggregator && { aggregator }) });
const level = gauge("app_level");
const lowest = gauge("app_lowest", "min");
const highest = gauge("app_highest", "max");
const mean = gauge("app_mean", "average");
const unseen = gauge("app_unseen", "omit");
const size = new Summary({ name: "app_size", help: "A summary.", percentiles: [0.5] });
const index = Number(process.env.EINHORN_CHILD_INDEX ?? 0);
for (const each of [level, lowest, highest, mean, unseen]) each.set(index + 1);
export const makeApp = () => (request, response) => {
  hits.inc({ kind: 'a "quoted" \\\\ one' });
  took.observe(0.5);
  size.observe(4);
  if (request.url === "/reset") register.resetMetrics();
  if (request.url === "/die") process.kill(process.pid, "SIGKILL");
  response.end(JSON.stringify({ greeting: "one", pid: process.pid }));
};
`;

export interface CountedFleet extends MeasuredFleet {
  /** Where its processes leave their figures. */
  folderOfMetrics(): string;
}

/** A fleet of the app that counts. */
export async function countedFleet(workers: number, server = ""): Promise<CountedFleet> {
  const fleet = await measuredFleet({ workers, app: countingApp, server });
  const folderOfMetrics = (): string => {
    const name = readdirSync(tmpdir()).find((each) => each.startsWith(`tsserve-metrics-${fleet.pid}-`));
    return `${tmpdir()}/${name ?? "none"}`;
  };
  return { ...fleet, folderOfMetrics };
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
