import { expect, it } from "vitest";
import { parseIni, resolveSection } from "@tsserve/config";
import type { PoolUsers } from "@tsserve/deploy";
import type { Logger } from "pino";
import { checkPools } from "./check-pools.ts";
import { poolSettings } from "./pool-settings.ts";

/** What the check says of a pool of `max` connections a process: its warnings, or the message of its error. */
function check(ini: string, maxima: Readonly<Record<string, number>>, users: PoolUsers): string[] {
  const section = resolveSection(parseIni(`[app:main]\n${ini}`, "app.ini"), "app:main", {});
  const warnings: string[] = [];
  const log = { warn: (_fields: object, message: string) => warnings.push(message) } as unknown as Logger;
  try {
    checkPools({ settings: poolSettings(section), maxima: new Map(Object.entries(maxima)), users, section }, log);
  } catch (error) {
    return [`error: ${(error as Error).message}`];
  }
  return warnings;
}

const one: PoolUsers = { workers: 1, hasMaster: false, upgrade: "smooth" };
const smooth: PoolUsers = { workers: 4, hasMaster: true, upgrade: "smooth" };
const fleet: PoolUsers = { ...smooth, upgrade: "fleet" };

it.each([
  [10, 10, one, true],
  [11, 10, one, false],
  [10, 50, smooth, true],
  [10, 49, smooth, false],
  [10, 80, fleet, true],
  [10, 79, fleet, false],
] as const)("%s connections a process and %s granted, with %o, fit: %s", (max, granted, users, fits) => {
  expect(check(`pool.db.max_connections = ${granted}`, { db: max }, users).length).toBe(fits ? 0 : 1);
  const strict = check(`pool.db.max_connections = ${granted}\npool.db.strict = true`, { db: max }, users);
  expect(strict.map((text) => text.startsWith("error: app.ini:2: [app:main] pool.db.max_connections"))).toEqual(fits ? [] : [true]);
});

it("says so where the app does not tell how many connections a process keeps", () => {
  expect(check("pool.db.max_connections = 5", {}, one)).toEqual([expect.stringContaining('registers no pool "db"')]);
});

it.each([
  ["pool.db.max_connections = many"],
  ["pool.db.max_connections = 0"],
  ["pool.db.strict = true"],
  ["pool.db.max_connections = 5\npool.db.strict = perhaps"],
])("%s is a problem with its place", (ini) => {
  expect(check(ini, {}, one)).toEqual([expect.stringMatching(/^error: app\.ini:\d: \[app:main\] pool\.db\./)]);
});
