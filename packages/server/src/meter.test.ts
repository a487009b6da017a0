import { describe, expect, test } from "vitest";
import { Meter, type MetricFamily } from "./meter.ts";

const hits: MetricFamily = { name: "hits_total", help: "Hits.", type: "counter" };
const level: MetricFamily = { name: "level", help: "A level.", type: "gauge" };
const took: MetricFamily = { name: "took_seconds", help: "Times.", type: "histogram", buckets: [0.1, 1] };

describe("a series", () => {
  test("is the same for the same labels, in whichever order", () => {
    const meter = new Meter();
    const one = meter.seriesOf(hits, { a: "1", b: "2" });
    expect(meter.seriesOf(hits, { b: "2", a: "1" })).toBe(one);
    expect(meter.seriesOf(hits, { a: "1", b: "3" })).not.toBe(one);
    expect(meter.series).toHaveLength(2);
  });

  test("has room for what its type needs; a gauge has no value until it is set", () => {
    const meter = new Meter();
    expect([hits, level, took].map((family) => meter.seriesOf(family, {}).cells)).toEqual([1, 1, 4]);
    expect([...meter.values.subarray(0, meter.used)]).toEqual([0, Number.NaN, 0, 0, 0, 0]);
    meter.gauge(level, {}).set(3);
    meter.counter(hits, {}).add(2);
    meter.counter(hits, {}).add(2);
    for (const value of [0.05, 0.1, 0.5, 7]) meter.histogram(took, {}).observe(value);
    expect([...meter.values.subarray(0, meter.used)]).toEqual([4, 3, 2, 1, 1, 7.65]);
  });

  test("keeps its number when the array has to grow", () => {
    const meter = new Meter();
    const first = meter.counter(hits, { n: "0" });
    first.add(5);
    for (let n = 1; n < 1000; n++) meter.counter(hits, { n: String(n) }).add(n);
    first.add(1);
    expect(meter.series.map(({ cell }) => meter.values[cell])).toEqual([6, ...Array.from({ length: 999 }, (_, n) => n + 1)]);
  });
});

describe("secrets in labels", () => {
  const masking = (): Meter => new Meter((text) => text.replaceAll(/hunter\d/g, "****"));

  test("are not exported: not in the labels, nor in the key", () => {
    const meter = masking();
    meter.counter(hits, { client: "db hunter2", other: "fine" }).add(1);
    expect(JSON.stringify(meter.series)).not.toContain("hunter");
    expect(meter.series[0]?.labels).toEqual({ client: "db ****", other: "fine" });
  });

  test.each([hits, level, took])("leave two series two: of a $type", (family) => {
    const meter = masking();
    const labels = (n: number): Record<string, string> => ({ client: `db hunter${n}`, other: "fine" });
    const made = [1, 2, 3].map((n) => meter.seriesOf(family, labels(n)));
    expect(made.map(({ labels: { client, other } }) => [client, other])).toEqual([
      ["db ****", "fine"],
      ["db **** 2", "fine"],
      ["db **** 3", "fine"],
    ]);
    expect([1, 2, 3].map((n) => meter.seriesOf(family, labels(n)))).toEqual(made);
    expect(new Set(made.map(({ key }) => key)).size).toBe(3);
  });
});
