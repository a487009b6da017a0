import { spawn } from "node:child_process";
import { once } from "node:events";
import { freePort, makeTemporaryFolder } from "@tsserve/testing";
import type { MeasuredFleet } from "./measured.ts";

export interface Prometheus {
  /** The first value of what a query gives. */
  query(text: string): Promise<number | undefined>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A Prometheus that scrapes a fleet five times a second. */
export async function prometheusOf(fleet: MeasuredFleet): Promise<Prometheus> {
  const port = await freePort();
  const folder = makeTemporaryFolder({
    "prometheus.yml": `global: { scrape_interval: 200ms, scrape_timeout: 200ms }\nscrape_configs:\n  - job_name: app\n    static_configs: [{ targets: ["127.0.0.1:${fleet.metrics}"] }]\n`,
  });
  const args = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", `--web.listen-address=127.0.0.1:${port}`];
  const prometheus = spawn("/usr/bin/prometheus", args, { cwd: folder.path, stdio: "ignore" });
  const query = async (text: string): Promise<number | undefined> => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(text)}`).catch(() => undefined);
    // While it starts, it says so in words.
    const body = (await response?.json().catch(() => undefined)) as { data?: { result?: { value: [number, string] }[] } } | undefined;
    const value = body?.data?.result?.[0]?.value[1];
    return value === undefined ? undefined : Number(value);
  };
  return {
    query,
    [Symbol.asyncDispose]: async () => {
      prometheus.kill("SIGKILL");
      await once(prometheus, "exit");
      folder.remove();
    },
  };
}
