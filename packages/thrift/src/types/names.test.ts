import { Script } from "node:vm";
import { expect, test } from "vitest";
import { memberName, Names, reservedParameterNames, reservedTypeNames } from "./names.ts";

test("who asks first gets the name, the others a number that is free", () => {
  const names = new Names(["taken"]);
  expect(["a", "a", "a2", "a", "taken", "b"].map((name) => names.take(name))).toEqual(["a", "a2", "a22", "a3", "taken2", "b"]);
  expect(["a3", "a4", "taken", "taken3"].map((name) => names.has(name))).toEqual([true, false, true, false]);
});

test("whatever is asked for, no two names are one", () => {
  const names = new Names(reservedTypeNames);
  const wanted = [...reservedTypeNames, ...reservedTypeNames, ...Array.from({ length: 200 }, (_, index) => `x${index % 12}`)];
  const given = wanted.map((name) => names.take(name));
  expect(new Set(given).size).toBe(given.length);
  for (const reserved of reservedTypeNames) expect(given).not.toContain(reserved);
});

test("parameters can have no name that JavaScript's own syntax has", () => {
  for (const word of reservedParameterNames) {
    const parameter = new Names(reservedParameterNames).take(word);
    expect(() => new Script(`"use strict"; (${parameter}) => 0;`)).not.toThrow();
  }
});

test.each([
  ["plain", "plain"],
  ["_$1", "_$1"],
  ["constructor", "constructor"],
  ["toString", "toString"],
  ["new", '"new"'],
  ["get", '"get"'],
  ["readonly", '"readonly"'],
  ["__proto__", '"__proto__"'],
  ["shared.Colour", '"shared.Colour"'],
  ["1st", '"1st"'],
  ['a"b', '"a\\"b"'],
  ["", '""'],
])("the member %s is written %s", (name, written) => expect(memberName(name)).toBe(written));
