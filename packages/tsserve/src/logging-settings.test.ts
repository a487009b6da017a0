import { isConfigurationError } from "@tsserve/config";
import { expect, test } from "vitest";
import { loggingSettings, loggingTexts } from "./logging-settings.ts";
import type { OptionValues } from "./options.ts";
import { UsageError } from "./usage-error.ts";

const none: OptionValues = { binds: [], includes: [] };

test.each([
  [{}, none, false, { level: "info", format: "json" }],
  [{}, none, true, { level: "info", format: "pretty" }],
  [{ level: "warn", format: "json" }, none, true, { level: "warn", format: "json" }],
  [{ level: "warn" }, { ...none, debug: "true" }, false, { level: "debug" }],
  [{ level: "warn" }, { ...none, debug: "true", "log-level": "error" }, false, { level: "error" }],
  [{ format: "pretty" }, { ...none, "log-format": "json" }, true, { format: "json" }],
  [{ "levels.a.b": "debug", redact: "x, *.y" }, none, false, { levels: { "a.b": "debug" }, redact: ["x", "*.y"] }],
] as const)("%j with %j on a terminal %s", (raw, values, isTerminal, expected) => {
  expect(loggingSettings(raw, values, isTerminal)).toMatchObject(expected);
});

test.each(["level = loud", "levels.a = loud", "colour = red", "constructor = x"])("%s is wrong", (text) => {
  const [key = "", value = ""] = text.split(" = ");
  let error: unknown;
  try {
    loggingSettings({ [key]: value }, none, false);
  } catch (thrown) {
    error = thrown;
  }
  expect(isConfigurationError(error)).toBe(true);
});

test.each([{ "log-level": "loud" }, { "log-format": "xml" }])("an option %j is wrong", (values) => {
  expect(() => loggingSettings({}, { ...none, ...values }, false)).toThrow(UsageError);
});

test("as they are written, they read back as the same", () => {
  const settings = loggingSettings(
    { level: "warn", format: "pretty", "levels.a": "debug", "levels.b.c": "silent", redact: "a, b.*" },
    none,
    false,
  );
  expect(loggingSettings(Object.fromEntries(loggingTexts(settings)), none, false)).toEqual(settings);
});
