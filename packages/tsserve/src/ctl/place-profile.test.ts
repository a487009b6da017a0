import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeTemporaryFolder } from "@tsserve/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { checkTarget, placeProfile, type Format, type Target } from "./place-profile.ts";

let folder: ReturnType<typeof makeTemporaryFolder>;
beforeEach(
  () =>
    (folder = makeTemporaryFolder({
      "raw.heapprofile":
        '{"head":{"callFrame":{"functionName":"(root)","url":"","lineNumber":-1,"columnNumber":-1},"selfSize":0,"children":[]}}',
      taken: "precious",
    })),
);
afterEach(() => folder.remove());
const at = (name: string): string => join(folder.path, name);
const place = (format: Format, target: Target | undefined): Promise<string> =>
  placeProfile({ path: at("raw.heapprofile"), kind: "heap", format, target, who: "worker 0", seconds: 1, endedAt: 0 });

describe("where a profile is put", () => {
  test("is checked before it is taken", () => {
    expect(checkTarget(at("new"), "new")).toEqual({ file: at("new") });
    expect(checkTarget(folder.path, ".")).toEqual({ folder: folder.path });
    expect(checkTarget(at("-"), "-")).toBe("stdout");
    expect(() => checkTarget(at("taken"), "taken")).toThrow("-o taken: exists already, and is not overwritten");
    expect(() => checkTarget(at("no/where"), "no/where")).toThrow("-o no/where: there is no folder");
  });

  test("is where the worker wrote it, as it is, where nothing else is said", async () => {
    expect(await place("raw", undefined)).toBe(at("raw.heapprofile"));
    expect(existsSync(at("raw.heapprofile"))).toBe(true);
  });

  test.each([
    ["raw", { file: "new" }, "new"],
    ["html", undefined, "raw.html"],
    ["pprof", undefined, "raw.pb.gz"],
    ["html", { file: "page" }, "page"],
  ] as const)("%s to %j: moves there, for its owner alone", async (format, target, expected) => {
    const absolute = target === undefined ? undefined : { file: at(target.file) };
    expect(await place(format, absolute)).toBe(at(expected));
    expect(statSync(at(expected)).mode & 0o777).toBe(0o600);
    expect(existsSync(at("raw.heapprofile"))).toBe(false);
  });

  test.each(["raw", "html", "pprof"] as const)(
    "overwrites nothing that has come meanwhile, and keeps what was taken: %s",
    async (format) => {
      await expect(place(format, { file: at("taken") })).rejects.toThrow("EEXIST");
      expect(readFileSync(at("taken"), "utf8")).toBe("precious");
      expect(existsSync(at("raw.heapprofile"))).toBe(true);
      writeFileSync(at("raw.html"), "mine");
      await expect(place("html", undefined)).rejects.toThrow("EEXIST");
    },
  );
});
