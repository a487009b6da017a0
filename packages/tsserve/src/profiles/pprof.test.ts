import { gunzipSync } from "node:zlib";
import { Profile } from "pprof-format";
import { describe, expect, test } from "vitest";
import type { FlameNode, FlameTree } from "./flame-tree.ts";
import { pprofOf } from "./pprof.ts";

const node = (name: string, place: string, self: number, children: FlameNode[] = []): FlameNode => ({
  name,
  place,
  self,
  total: 0,
  children,
});
const tree = (unit: FlameTree["unit"]): FlameTree => ({
  unit,
  root: node("all", "", 0, [
    node("main", "/srv/app.js:3", 10, [node("work", "/srv/work.js:70", 2.6), node("main", "/srv/app.js:3", 5)]),
    node("(idle)", "", 7),
    node("nothing", "/srv/app.js:9", 0),
  ]),
});

/** Decoded by the library, printed: `work(/srv/work.js:70) < main(…) = value`. */
function decode(bytes: Buffer): { readonly profile: Profile; readonly type: readonly string[]; readonly samples: readonly string[] } {
  const profile = Profile.decode(gunzipSync(bytes));
  const text = (index: unknown): string => profile.stringTable.strings[Number(index)] ?? "?";
  const functions = new Map(profile.function.map((each) => [Number(each.id), each]));
  const locations = new Map(profile.location.map((each) => [Number(each.id), each]));
  const printed = (id: unknown): string => {
    const line = locations.get(Number(id))?.line[0];
    const found = functions.get(Number(line?.functionId));
    return `${text(found?.name)}(${text(found?.filename)}:${Number(line?.line)})`;
  };
  return {
    profile,
    type: profile.sampleType.flatMap((each) => [text(each.type), text(each.unit)]),
    samples: profile.sample.map(({ locationId, value }) => `${locationId.map(printed).join(" < ")} = ${value.map(Number).join()}`),
  };
}

describe("a profile for pprof", () => {
  test("has the stacks of a CPU profile, the leaf first, in nanoseconds", () => {
    const { profile, type, samples } = decode(pprofOf(tree("microseconds"), { endedAt: 1_700_000_010_000, ms: 10_000 }));
    expect(type).toEqual(["cpu", "nanoseconds"]);
    expect(samples).toEqual([
      "main(/srv/app.js:3) = 10000",
      "work(/srv/work.js:70) < main(/srv/app.js:3) = 3000",
      "main(/srv/app.js:3) < main(/srv/app.js:3) = 5000",
      "(idle)(:0) = 7000",
    ]);
    expect([BigInt(profile.timeNanos), BigInt(profile.durationNanos)]).toEqual([1_700_000_000_000_000_000n, 10_000_000_000n]);
    expect(profile.stringTable.strings[0]).toBe("");
    // Each function once.
    expect(profile.function).toHaveLength(4);
  });

  test("has the bytes of a heap profile", () => {
    const { type, samples } = decode(pprofOf(tree("bytes"), { endedAt: 0, ms: 0 }));
    expect([type, samples[1]]).toEqual([["inuse_space", "bytes"], "work(/srv/work.js:70) < main(/srv/app.js:3) = 3"]);
  });

  test("of nothing is one that can be read", () => {
    expect(decode(pprofOf({ unit: "bytes", root: node("all", "", 0) }, { endedAt: 0, ms: 0 })).samples).toEqual([]);
  });
});
