import { expect, test } from "vitest";
import { Batch, type FailedEntry } from "./batch.ts";

interface Entry {
  readonly n: number;
}

test("entries go by tens at most, each hears of itself alone, and only what failed is sent again", async () => {
  const sent: number[][] = [];
  const batch = new Batch<Entry>({
    send: async (entries) => {
      sent.push(entries.map(({ n }) => n));
      const failedFirst = sent.length <= 3 ? entries.filter(({ n }) => n % 7 === 0) : [];
      return failedFirst.map(({ Id, n }): FailedEntry => ({
        Id,
        SenderFault: n === 14,
        Code: n === 14 ? "ReceiptHandleIsInvalid" : "InternalError",
      }));
    },
  });
  const results = await Promise.all(Array.from({ length: 25 }, (_, n) => batch.add({ n })));
  expect(sent.slice(0, 3).map((each) => each.length)).toEqual([10, 10, 5]);
  expect(
    sent
      .slice(3)
      .flat()
      .toSorted((a, b) => a - b),
  ).toEqual([0, 7, 21]);
  expect(results.map((failure, n) => [n, failure?.Code]).filter(([, code]) => code !== undefined)).toEqual([
    [14, "ReceiptHandleIsInvalid"],
  ]);
});

test("a request that fails is sent again, and in the end each hears why", async () => {
  let tries = 0;
  const batch = new Batch<Entry>({
    lingerMs: 0,
    send: () => {
      tries += 1;
      return Promise.reject(Object.assign(new Error("away"), { name: "TimeoutError" }));
    },
  });
  expect(await Promise.all([batch.add({ n: 1 }), batch.add({ n: 2 })])).toMatchObject([{ Code: "TimeoutError" }, { Code: "TimeoutError" }]);
  expect(tries).toBe(5);
});
