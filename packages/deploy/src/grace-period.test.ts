import { describe, expect, it } from "vitest";
import { podStop } from "./grace-period.ts";
import { randomOf } from "../../../test/support/random-of.ts";

const kinds = ["http", "thrift", "queue", "other"] as const;

describe("the grace period", () => {
  it("has room for preStop, drain, stop and a margin of six seconds, whatever the times", () => {
    const random = randomOf(20_261_126);
    for (let round = 0; round < 1000; round++) {
      const drainSeconds = random() < 0.3 ? 0 : Math.round(random() * 100_000) / 1000;
      const stopSeconds = Math.round(random() * 300_000) / 1000;
      const kind = kinds[Math.floor(random() * kinds.length)] ?? "http";
      const { preStopSeconds, gracePeriodSeconds } = podStop({ drainSeconds, stopSeconds, graceSeconds: undefined, kind });
      expect(gracePeriodSeconds).toBeGreaterThanOrEqual(preStopSeconds + drainSeconds + stopSeconds + 6);
      expect(Number.isInteger(gracePeriodSeconds) && Number.isInteger(preStopSeconds)).toBe(true);
      if (kind !== "queue") expect(preStopSeconds + drainSeconds).toBeGreaterThanOrEqual(5);
    }
  });

  it("is taken as it is written, and the preStop sleep fits into it", () => {
    const random = randomOf(7);
    for (let round = 0; round < 1000; round++) {
      const drainSeconds = Math.round(random() * 20_000) / 1000;
      const stopSeconds = Math.round(random() * 60_000) / 1000;
      const graceSeconds = Math.ceil(random() * 100);
      const times = { drainSeconds, stopSeconds, graceSeconds, kind: "http" as const };
      const stop = podStop(times);
      expect(stop.gracePeriodSeconds).toBe(graceSeconds);
      if (graceSeconds < drainSeconds + stopSeconds + 2) continue;
      expect(stop.preStopSeconds === 0 || stop.preStopSeconds + drainSeconds + stopSeconds + 2 <= graceSeconds).toBe(true);
    }
  });
});
