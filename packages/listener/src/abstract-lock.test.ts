import { expect, test } from "vitest";
import { withAbstractLock } from "./abstract-lock.ts";

test("work under one name is done one after the other, also when it fails; other names do not wait", async () => {
  const name = `test:${process.pid}`;
  const log: string[] = [];
  const work = (id: string) => async (): Promise<void> => {
    log.push(`${id} begins`);
    await new Promise((resolve) => setTimeout(resolve, 5));
    log.push(`${id} ends`);
    if (id === "a") throw new Error("mine");
  };
  const all = await Promise.allSettled(["a", "b", "c"].map((id) => withAbstractLock(name, work(id))));
  expect(all.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "fulfilled"]);
  if (process.platform !== "linux") return;
  for (let index = 0; index < log.length; index += 2) expect(log[index]?.[0]).toBe(log[index + 1]?.[0]);
  await withAbstractLock(name, () => withAbstractLock(`${name}:other`, () => Promise.resolve()));
});
