import { describe, expect, test } from "vitest";
import type { OptionValues } from "../options.ts";
import { readProfileArguments } from "./profile.ts";

const values = (given: Readonly<Record<string, string>> = {}): OptionValues =>
  ({ ...given, binds: [], includes: [] }) as unknown as OptionValues;

describe("the arguments of ctl profile", () => {
  test("have defaults", () => {
    expect(readProfileArguments(["cpu"], values())).toEqual({
      kind: "cpu",
      worker: undefined,
      seconds: 10,
      format: "raw",
      output: undefined,
      force: false,
      json: false,
    });
  });

  test.each([
    [["heap"], { worker: "0" }, { kind: "heap", worker: 0 }],
    [["cpu"], { worker: "12", seconds: "0.25" }, { worker: 12, seconds: 0.25 }],
    [["cpu"], { seconds: "3600" }, { seconds: 3600 }],
    [["cpu"], { format: "cpuprofile" }, { format: "raw" }],
    [["heap"], { format: "heapprofile" }, { format: "raw" }],
    [["heap"], { format: "pprof" }, { format: "pprof" }],
    [["cpu"], { format: "html", output: "a.html" }, { format: "html", output: "a.html" }],
    [["snapshot"], { force: "true", json: "true" }, { kind: "snapshot", force: true, json: true }],
  ])("are read: %j %j", (positionals, given, expected) =>
    expect(readProfileArguments(positionals, values(given as Record<string, string>))).toMatchObject(expected),
  );

  test.each([
    [[], {}, "expected tsserve ctl profile cpu|heap|snapshot"],
    [["cpu", "heap"], {}, "expected tsserve ctl profile"],
    [["snapshto"], {}, 'did you mean "snapshot"?'],
    [["cpu"], { worker: "-1" }, "--worker: expected the number of a worker"],
    [["cpu"], { worker: "all" }, "--worker: expected the number of a worker"],
    [["cpu"], { seconds: "0" }, "--seconds: expected a number of seconds above 0"],
    [["cpu"], { seconds: "3601" }, "at most 3600"],
    [["cpu"], { seconds: "1e9" }, "--seconds"],
    [["cpu"], { seconds: "ten" }, 'found "ten"'],
    [["cpu"], { format: "svg" }, "--format: expected cpuprofile, pprof or html"],
    [["snapshot"], { format: "pprof" }, "a snapshot is a .heapsnapshot"],
  ])("are refused: %j %j", (positionals, given, message) => {
    expect(() => readProfileArguments(positionals, values(given as Record<string, string>))).toThrow(message);
  });
});
