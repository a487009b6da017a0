import { expect, test } from "vitest";
import { Causes } from "./causes.ts";
import type { Cause } from "./events.ts";

const signal = (name: NodeJS.Signals): Cause => ({ kind: "signal", signal: name });

test("the first is the first, however late somebody asks", async () => {
  const causes = new Causes();
  expect(causes.earliest).toBeUndefined();
  causes.add(signal("SIGTERM"));
  causes.add(signal("SIGINT"));
  expect(causes.earliest).toEqual(signal("SIGTERM"));
  await expect(causes.first).resolves.toEqual(signal("SIGTERM"));
});

test("each later one is told once, in order, to all who listen, also of before they did", () => {
  const causes = new Causes();
  const [early, late]: [Cause[], Cause[]] = [[], []];
  causes.onLater((cause) => early.push(cause));
  for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) causes.add(signal(name));
  causes.onLater((cause) => late.push(cause));
  causes.add({ kind: "server-ended" });
  const expected = [signal("SIGINT"), signal("SIGHUP"), { kind: "server-ended" }];
  expect([early, late]).toEqual([expected, expected]);
});

test("whether one has come that is such, first or later", () => {
  const causes = new Causes();
  const hasEnded = (): boolean => causes.some(({ kind }) => kind === "server-ended");
  causes.add(signal("SIGTERM"));
  expect(hasEnded()).toBe(false);
  causes.add({ kind: "server-ended" });
  expect(hasEnded()).toBe(true);
});
