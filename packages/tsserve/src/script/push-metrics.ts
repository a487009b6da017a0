/** What became of a job. */
export interface JobOutcome {
  readonly succeeded: boolean;
  readonly durationMs: number;
  /** When it ended, in milliseconds since 1970. */
  readonly endedAt: number;
}

const longestReason = 300;

/**
 * Pushes metrics to a Prometheus push gateway, under the name of a job: what it holds of the job by other names stays.
 *
 * @param text metrics in Prometheus' text format
 * @throws with the reason, when the gateway does not take them
 */
export async function pushMetrics(gateway: string, job: string, text: string): Promise<void> {
  let response: Response;
  try {
    response = await fetch(jobUrl(gateway, job), {
      method: "POST",
      headers: { "content-type": "text/plain; version=0.0.4" },
      body: text,
    });
  } catch (error) {
    throw new Error(reasonOf(error as Error), { cause: error });
  }
  const answer = await response.text().catch(() => "");
  if (!response.ok) throw new Error(`it answered ${response.status} ${answer.trim().slice(0, longestReason)}`);
}

/**
 * In base64, which the gateway takes since its version 0.9: a name with a slash, such as `./job.js:run`, can't be said
 * otherwise.
 */
function jobUrl(gateway: string, job: string): string {
  let base = gateway;
  while (base.endsWith("/")) base = base.slice(0, -1);
  return `${base}/metrics/job@base64/${Buffer.from(job).toString("base64url")}`;
}

function reasonOf(error: Error): string {
  return (error.cause as Error | undefined)?.message ?? error.message;
}

/** The metrics that every job has, by the names that are usual for them. */
export function jobMetrics({ succeeded, durationMs, endedAt }: JobOutcome): string {
  const gauge = (name: string, help: string, value: number): string => `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${name} ${value}\n`;
  return [
    gauge("job_duration_seconds", "How long the last run of the job took.", durationMs / 1000),
    gauge("job_success", "Whether the last run of the job succeeded.", succeeded ? 1 : 0),
    // Where it failed, the instant of the last success stays what it was.
    ...(succeeded ? [gauge("job_last_success_timestamp_seconds", "When the job last succeeded.", endedAt / 1000)] : []),
  ].join("");
}
