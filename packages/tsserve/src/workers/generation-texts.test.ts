import { openSync, writeFileSync } from "node:fs";
import { makeTemporaryFolder } from "@tsserve/testing";
import { expect, test } from "vitest";
import { GenerationTexts, takeTexts, textsVariable } from "./generation-texts.ts";
import { masterVariable } from "./own-worker.ts";

const texts = (configuration: string): { configuration: string; environment: undefined } => ({ configuration, environment: undefined });

test("a generation keeps the texts that it began with, until another one serves", () => {
  const generations = new GenerationTexts(texts("one"));
  expect(generations.of(1, 1)).toEqual(texts("one"));
  generations.renew(texts("two"));
  expect(generations.of(2, 1)).toEqual(texts("two"));
  generations.renew(texts("three"));
  // The upgrade to the second was given up; a worker of the first is replaced, then the upgrade to the third begins.
  expect([generations.of(1, 1), generations.of(2, 1), generations.of(3, 1)]).toEqual([texts("one"), texts("two"), texts("three")]);
  expect(generations.of(3, 3)).toEqual(texts("three"));
});

const read = (held: string, ppid: number): [unknown, string | undefined] => {
  using folder = makeTemporaryFolder({});
  writeFileSync(`${folder.path}/held`, held);
  const env: Record<string, string | undefined> = { [masterVariable]: "7", [textsVariable]: String(openSync(`${folder.path}/held`, "r")) };
  return [takeTexts({ env, ppid }), env[textsVariable]];
};

test.each([
  ["what the master wrote", '{"configuration":"[server:main]"}', 7, { configuration: "[server:main]" }],
  ["nothing of what was cut in the middle", '{"configuration":"[ser', 7, undefined],
  ["nothing of an empty pipe", "", 7, undefined],
  ["nothing where its parent is not the master", '{"configuration":"[server:main]"}', 8, undefined],
])("a worker takes %s, and nobody finds the pipe any more", (_name, held, ppid, taken) => {
  expect(read(held, ppid)).toEqual([taken, undefined]);
});

test("a descriptor that is none is told as no texts", () => {
  expect(takeTexts({ env: { [masterVariable]: "7", [textsVariable]: "999999" }, ppid: 7 })).toBeUndefined();
});
