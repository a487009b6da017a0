import { describe, expect, test } from "vitest";
import { commands } from "./commands.ts";
import { environmentName, type OptionName, options } from "./options.ts";
import { fileOfImage, readArguments, readBinds } from "./read-arguments.ts";
import { UsageError } from "./usage-error.ts";

const serve = commands.serve.options;

function said(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  return "";
}

describe("the command line", () => {
  test.each([
    [["app.ini", "--workers", "3"], ["app.ini"], { workers: "3" }],
    [["--workers=3", "app.ini"], ["app.ini"], { workers: "3" }],
    [["app.ini", "--debug"], ["app.ini"], { debug: "true" }],
    [["app.ini", "--log-level", "warn", "--log-level", "error"], ["app.ini"], { "log-level": "error" }],
    [["app.ini", "--bind", ":1", "--bind=:2"], ["app.ini"], { binds: [":1", ":2"] }],
    [["a", "--", "--b"], ["a", "--b"], {}],
    [["app.ini", "--env-file", "-"], ["app.ini"], { "env-file": "-" }],
  ])("%j", (args, positionals, values) => {
    expect(readArguments(args, serve, {})).toMatchObject({ positionals, values, help: false, version: false });
  });

  test("help and version are asked for", () => {
    expect(readArguments(["-h"], serve, {}).help).toBe(true);
    expect(readArguments(["--version"], serve, {}).version).toBe(true);
  });

  test("what belongs to another program stays as it is", () => {
    const { positionals, values } = readArguments(["--app-name", "x", "app.ini", "m:f", "--app-name", "y", "-z"], ["app-name"], {}, 2);
    expect([positionals, values["app-name"]]).toEqual([["app.ini", "m:f", "--app-name", "y", "-z"], "x"]);
  });

  test.each([
    [["--bnid", ":1"], 'unknown option --bnid, did you mean "--bind"?'],
    [["-x"], "unknown option -x"],
    [["--constructor"], "unknown option --constructor"],
    [["--bind"], "--bind lacks its value"],
    [["--bind="], "--bind lacks its value"],
    [["--debug=yes"], '--debug takes no value, found "yes"'],
  ])("%j is wrong", (args, message) => {
    expect(said(() => readArguments(args, serve, {}))).toBe(message);
  });
});

describe("the environment", () => {
  test.each((Object.keys(options) as OptionName[]).filter((name) => options[name].multiple !== true))("has a variable for --%s", (name) => {
    const isSwitch = options[name].type === "boolean";
    const env = { [environmentName(name)]: isSwitch ? "1" : "value" };
    expect(readArguments([], [name], env).values[name]).toBe(isSwitch ? "true" : "value");
    expect(readArguments([], [name], { [environmentName(name)]: "" }).values[name]).toBeUndefined();
    if (isSwitch) expect(readArguments([], [name], { [environmentName(name)]: "false" }).values[name]).toBeUndefined();
    else expect(readArguments([`--${name}`, "other"], [name], env).values[name]).toBe("other");
  });

  test("names several places, separated by commas", () => {
    expect(readArguments([], serve, { TSSERVE_BIND: ":1, :2" }).values.binds).toEqual([":1", ":2"]);
    expect(readArguments(["--bind", ":3"], serve, { TSSERVE_BIND: ":1" }).values.binds).toEqual([":3"]);
    expect(readArguments([], serve, { TSSERVE_BIND: "" }).values.binds).toEqual([]);
  });

  test("has no option that nobody set, and no switch that is neither on nor off", () => {
    expect(readArguments([], serve, Object.create({ TSSERVE_WORKERS: "9" }) as Record<string, string>).values.workers).toBeUndefined();
    expect(said(() => readArguments([], serve, { TSSERVE_DEBUG: "maybe" }))).toBe('TSSERVE_DEBUG: expected true or false, found "maybe"');
  });
});

describe("the environment of an image", () => {
  test("chooses sections and workers, unless a variable of ours or the command line does", () => {
    const env = { WORKER_TYPE: "socketio", WORKER_COUNT: "3" };
    expect(readArguments([], serve, env).values).toMatchObject({ "server-name": "socketio", "app-name": "socketio", workers: "3" });
    const own = { ...env, TSSERVE_APP_NAME: "other", TSSERVE_WORKERS: "5" };
    expect(readArguments(["--workers", "7"], serve, own).values).toMatchObject({
      "server-name": "socketio",
      "app-name": "other",
      workers: "7",
    });
    expect(readArguments([], serve, { WORKER_TYPE: "", WORKER_COUNT: "" }).values.workers).toBeUndefined();
  });

  test("names the file", () => {
    expect(fileOfImage({ CONFIG_NAME: "production-eu.1" })).toBe("configs/production-eu.1.ini");
    expect(fileOfImage({ CONFIG_NAME: "" })).toBeUndefined();
    expect(fileOfImage({})).toBeUndefined();
    for (const name of ["../etc/passwd", "a/b", ".", "-x", "a b"])
      expect(said(() => fileOfImage({ CONFIG_NAME: name }))).toMatch(/^CONFIG_NAME: /);
  });
});

test("where to listen", () => {
  expect(readBinds([])).toEqual([{ host: "localhost", port: 9090 }]);
  expect(readBinds(["fd://3", ":1"])).toEqual([{ path: "fd://3" }, { host: "", port: 1 }]);
  expect(said(() => readBinds(["nowhere"]))).toMatch(/^--bind: expected an endpoint .*, found "nowhere"$/);
});
