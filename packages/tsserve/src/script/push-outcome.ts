import { lastReportsMs, type LastReports } from "../reports/last-reports.ts";
import { pushMetrics } from "./push-metrics.ts";

export interface Push {
  readonly gateway: string;
  readonly job: string;
  /** Metrics in Prometheus' text format; some are the app's own to collect. */
  text(): Promise<string>;
}

/** Pushes the metrics of a job with the other last reports; once those are sent, `problem` says why they may not have arrived. */
export function pushWith(reports: LastReports, { gateway, job, text }: Push): { readonly problem: string | undefined } {
  const outcome: { problem: string | undefined } = { problem: `no answer within ${lastReportsMs / 1000} s` };
  reports.add(async () => {
    try {
      await pushMetrics(gateway, job, await text());
      outcome.problem = undefined;
    } catch (error) {
      outcome.problem = (error as Error).message;
    }
  });
  return outcome;
}
