import { expect, test } from "vitest";
import type { Subscription } from "./broker.ts";
import { BrokerError } from "./outcome-errors.ts";
import { firstSubscriptions, type NamedSubscription } from "./start-subscriptions.ts";

const named = (consumer: string, first: Promise<void>, error?: Error): NamedSubscription => ({
  consumer,
  subscription: { first } as Subscription,
  lastError: () => error,
});
const never = new Promise<void>(() => undefined);

test("it waits for all of them", async () => {
  let resolve = (): void => undefined;
  const late = new Promise<void>((done) => (resolve = done));
  const all = firstSubscriptions([named("a", Promise.resolve()), named("b", late)], 60_000);
  expect(await Promise.race([all.then(() => "all"), new Promise((done) => setImmediate(() => done("not yet")))])).toBe("not yet");
  resolve();
  await all;
});

test("one that is refused for good ends the wait at once", async () => {
  const refused = new BrokerError("refused", "no", { isPermanent: true });
  await expect(firstSubscriptions([named("a", never), named("b", Promise.reject(refused))], 60_000)).rejects.toBe(refused);
});

test("those that do not come in time are named, with each reason once", async () => {
  const away = new Error("the broker is away");
  const waiting = [named("a", never, away), named("b", Promise.resolve()), named("c", never, away), named("d", never)];
  await expect(firstSubscriptions(waiting, 40)).rejects.toMatchObject({
    reason: "timeout",
    message: 'no subscription for "a", "c", "d" within start_timeout: the broker is away; the broker does not answer',
  });
});
