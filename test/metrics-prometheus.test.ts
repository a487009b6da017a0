import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { get } from "./support/fleet.ts";
import { hasProgram, measuredFleet } from "./support/measured.ts";

test.runIf(hasProgram("/usr/bin/promtool"))("promtool finds nothing to say", async () => {
  await using fleet = await measuredFleet({
    workers: 1,
    server: "monitoring.blocked_hub = 100 milliseconds\nmonitoring.gc.timing = true\nmonitoring.connection_pool = true",
  });
  await get(fleet);
  const text = await (await fetch(`http://127.0.0.1:${fleet.metrics}/metrics`)).text();
  const { status, stdout, stderr } = spawnSync("/usr/bin/promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
  expect([status, stdout, stderr]).toEqual([0, "", ""]);
});
