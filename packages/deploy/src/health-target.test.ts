import { expect, test } from "vitest";
import { healthTarget } from "./health-target.ts";

const port = 9090;
test.each([
  [
    { kind: "http", port },
    { kind: "http", port },
  ],
  [
    { kind: "http", port, metricsPort: 6060 },
    { kind: "http", port },
  ],
  [
    { kind: "http", port, serverHealth: "https", metricsPort: 6060 },
    { kind: "http", port: 6060 },
  ],
  [
    { kind: "http", port, serverHealth: "none", localMetricsPort: 6061 },
    { kind: "http", port: 6061 },
  ],
  [{ kind: "http", port, serverHealth: "https" }, undefined],
  [{ kind: "http", port, serverHealth: "none" }, undefined],
  [
    { kind: "thrift", port, metricsPort: 6060 },
    { kind: "thrift", port },
  ],
  [
    { kind: "queue", port, metricsPort: 6060 },
    { kind: "http", port },
  ],
  [
    { kind: "other", port, metricsPort: 6060 },
    { kind: "http", port: 6060 },
  ],
] as const)("of %j is %j", (plan, expected) => expect(healthTarget(plan)).toEqual(expected));
