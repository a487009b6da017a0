import { latencyBuckets, type Meter } from "@tsserve/server";

/** A histogram's name, and the label that says whether a run went well. */
export interface RunsBySuccess {
  readonly name: string;
  readonly label: string;
}

/**
 * How long runs of a handler took, well or not: one histogram under whatever name a dashboard knows it by.
 *
 * @returns tells of a run that is over
 */
export function runsBySuccess(
  meter: Meter,
  { name, label }: RunsBySuccess,
  labels: Readonly<Record<string, string>>,
): (success: boolean, seconds: number) => void {
  const definition = { name, help: "How long a run of a handler took.", type: "histogram", buckets: latencyBuckets } as const;
  const [succeeded, failed] = ["true", "false"].map((value) => meter.histogram(definition, { ...labels, [label]: value }));
  return (success, seconds) => (success ? succeeded : failed)?.observe(seconds);
}
