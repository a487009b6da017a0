import { expect, test } from "vitest";
import { masked, maskSecret } from "./mask.ts";
import { nearest } from "./nearest.ts";

test.each([
  ["drain_tiem", "drain_time"],
  ["Drain_Time", "drain_time"],
  ["stoptimeout", "stop_timeout"],
  ["x", undefined],
  ["w", undefined],
  ["completely_else", undefined],
])("nearest to %s is %s", (name, expected) => {
  expect(nearest(name, ["drain_time", "stop_timeout", "workers"])).toBe(expected);
});

test.each([
  ["password", "x", masked],
  ["db.passwd", "x", masked],
  ["API_KEY", "x", masked],
  ["session.secret", "x", masked],
  ["auth_token", "x", masked],
  ["password", "", ""],
  ["keepalive_timeout", "75", "75"],
  ["monkey", "banana", "banana"],
  ["url", "postgres://me:pw@db/app", `postgres://me:${masked}@db/app`],
  ["url", "redis://:pw@host", `redis://:${masked}@host`],
  ["url", "http://host:80/a@b", "http://host:80/a@b"],
])("%s = %s is shown as %s", (key, value, shown) => {
  expect(maskSecret(key, value)).toBe(shown);
});
