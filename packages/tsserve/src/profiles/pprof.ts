import { Function as PprofFunction, Label, Line, Location, Profile, Sample, StringTable, ValueType } from "pprof-format";
import { gzipSync } from "node:zlib";
import type { FlameNode, FlameTree } from "./flame-tree.ts";

/** When a profile was taken. */
export interface ProfileTime {
  /** Milliseconds since 1970. */
  readonly endedAt: number;
  readonly ms: number;
}

/**
 * A profile as pprof has it (github.com/google/pprof/blob/main/proto/profile.proto), gzipped, for `go tool pprof` and what
 * collects profiles.
 */
export function pprofOf({ unit, root }: FlameTree, { endedAt, ms }: ProfileTime): Buffer {
  const strings = new StringTable();
  const text = (value: string): number => strings.dedup(value);
  const isTime = unit === "microseconds";
  const type = isTime ? { type: text("cpu"), unit: text("nanoseconds") } : { type: text("inuse_space"), unit: text("bytes") };
  const functions: PprofFunction[] = [];
  const locations: Location[] = [];
  const known = new Map<string, number>();
  const samples: Sample[] = [];
  const locationOf = ({ name, place }: FlameNode): number => {
    const key = `${name}\0${place}`;
    const found = known.get(key);
    if (found !== undefined) return found;
    const id = known.size + 1;
    const [, filename = place, line = "0"] = /^(.*):(\d+)$/.exec(place) ?? [];
    const startLine = Number(line);
    functions.push(new PprofFunction({ id, name: text(name), systemName: text(name), filename: text(filename), startLine }));
    locations.push(new Location({ id, line: [new Line({ functionId: id, line: startLine })] }));
    known.set(key, id);
    return id;
  };
  // The leaf comes first.
  const add = (node: FlameNode, stack: readonly number[]): void => {
    const here = [locationOf(node), ...stack];
    const self = Math.round(node.self);
    if (self > 0) samples.push(new Sample({ locationId: here, value: [isTime ? self * 1000 : self], label: [] as Label[] }));
    for (const child of node.children) add(child, here);
  };
  for (const child of root.children) add(child, []);
  const profile = new Profile({
    sampleType: [new ValueType(type)],
    sample: samples,
    location: locations,
    function: functions,
    stringTable: strings,
    timeNanos: BigInt(Math.round(endedAt - ms)) * 1_000_000n,
    durationNanos: BigInt(Math.round(ms)) * 1_000_000n,
    periodType: new ValueType(type),
    period: isTime ? 1_000_000 : 32_768,
  });
  return gzipSync(profile.encode());
}
