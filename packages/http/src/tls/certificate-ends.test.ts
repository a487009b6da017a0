import { describe, expect, test } from "vitest";
import { endNotice, nextLookMs } from "./certificate-ends.ts";

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const now = Date.UTC(2026, 10, 26);

describe("the end of a certificate", () => {
  test.each([
    ["long from now", 90 * day, undefined],
    ["in two weeks", 14 * day, undefined],
    ["in nearly two weeks", 14 * day - 1, "warn ends in 13 days"],
    ["in two days", 2 * day, "warn ends in 2 days"],
    ["in less", 2 * day - 1, "warn ends in 47 hours"],
    ["in hours", 2 * hour, "warn ends in 2 hours"],
    ["in less than that", 2 * hour - 1, "warn ends in 119 minutes"],
    ["now", 0, "warn ends in 0 minutes"],
    ["a moment ago", -1, "error has ended: clients refuse it"],
    ["a year ago", -365 * day, "error has ended: clients refuse it"],
  ])("%s", (_, ms, expected) => {
    const notice = endNotice(now + ms, now);
    expect(notice === undefined ? undefined : `${notice.level} ${notice.text}`).toBe(expected);
  });

  test("is told when it has come, whenever that is: the looks that follow each other from any instant meet it within two seconds", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const ends = [1, 2, 3].map((n) => now + ((Math.imul(seed * n, 2_654_435_761) >>> 0) % (5 * day)));
      const told = new Map<number, number>();
      for (let at = now; told.size < ends.length; at += nextLookMs(ends, at)) {
        for (const end of ends) if (endNotice(end, at)?.level === "error" && !told.has(end)) told.set(end, at);
        expect(nextLookMs(ends, at)).toBeGreaterThan(0);
        expect(nextLookMs(ends, at)).toBeLessThanOrEqual(day);
      }
      for (const [end, at] of told) expect(at - end).toBeLessThanOrEqual(2000);
    }
  });
});
