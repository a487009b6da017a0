import { expect, it } from "vitest";
import { poolDemand } from "./pool-demand.ts";

it.each([
  // Without a master, a process counts once.
  [10, { workers: 1, hasMaster: false, upgrade: "smooth" }, 10],
  // A smooth upgrade has one worker more, a fleet upgrade all of them twice.
  [10, { workers: 4, hasMaster: true, upgrade: "smooth" }, 50],
  [10, { workers: 4, hasMaster: true, upgrade: "fleet" }, 80],
  [10, { workers: 1, hasMaster: true, upgrade: "smooth" }, 20],
  // A rolling deployment adds its surge.
  [10, { workers: 4, hasMaster: true, upgrade: "smooth", replicas: 3, surge: 1 }, 200],
  [5, { workers: 1, hasMaster: false, upgrade: "fleet", replicas: 4, surge: 1 }, 25],
] as const)("%s connections a process of %o may be %s", (most, users, demand) => {
  expect(poolDemand(most, users)).toBe(demand);
});
