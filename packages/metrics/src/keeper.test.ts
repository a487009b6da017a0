import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Meter } from "@tsserve/server";
import { Counter, Registry } from "prom-client";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Definitions } from "./definitions.ts";
import { Keeper, type KeeperOptions } from "./keeper.ts";
import { print } from "./print.ts";
import { identityOf, type ProcessIdentity } from "./process-identity.ts";
import { View } from "./view.ts";

const hits = { name: "hits_total", help: "Hits.", type: "counter" } as const;
const level = { name: "level", help: "A level.", type: "gauge" } as const;
const living = identityOf(process.pid) as ProcessIdentity;

let folder = "";
const told: string[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tsserve-keeper-"));
  told.length = 0;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const log = {
  debug: () => undefined,
  info: (_: object, message: string) => void told.push(message),
  warn: (_: object, message: string) => void told.push(message),
};

interface Kept {
  readonly meter: Meter;
  readonly keeper: Keeper;
  readonly view: View;
}

function keep(more: Partial<KeeperOptions> = {}): Kept {
  const meter = new Meter();
  const definitions = new Definitions();
  const options: KeeperOptions = {
    meter,
    owner: living,
    workerIndex: 0,
    folder,
    remakeFolder: () => (mkdirSync(folder), folder),
    definitions,
    registries: () => [],
    sample: () => undefined,
    log,
    ...more,
  };
  const keeper = new Keeper(options);
  return { meter, keeper, view: new View({ keeper, definitions, pid: options.owner.pid, log }) };
}

const samplesOf = async (view: View, kind = "test"): Promise<string[]> => {
  const text = await view.ask(kind, ({ families }) => Promise.resolve(print(families, "prometheus")));
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#") && !line.startsWith("tsserve_"));
};

describe("what a process keeps", () => {
  test("counters are the worker's and go on, gauges are the process's and go with it", async () => {
    const first = keep();
    first.meter.counter(hits, {}).add(2);
    first.meter.gauge(level, {}).set(5);
    first.keeper.start();
    expect(await samplesOf(first.view)).toEqual(["hits_total 2", "level 5"]);
    await first.keeper.stop();
    expect(readdirSync(folder).sort()).toEqual(["0.v2.1.series", "0.v2.values"]);
    const second = keep();
    second.meter.counter(hits, {}).add(1);
    second.keeper.start();
    expect(await samplesOf(second.view)).toEqual(["hits_total 3"]);
    await second.keeper.stop();
  });

  test("another process has the worker's files: it takes others, and is counted all the same", async () => {
    const other = keep({ owner: identityOf(process.ppid) as ProcessIdentity });
    other.meter.counter(hits, {}).add(2);
    other.keeper.start();
    const { meter, keeper, view } = keep();
    meter.counter(hits, {}).add(5);
    keeper.start();
    expect(keeper.base).toBe("1000");
    expect(await samplesOf(view)).toEqual(["hits_total 7"]);
  });

  test("gauges' files of processes that have gone are removed, those of the living are not", async () => {
    const dead = keep({ owner: { pid: living.pid, startedAt: 1 }, workerIndex: 3 });
    dead.meter.gauge(level, {}).set(100);
    dead.keeper.start();
    const parent = keep({ owner: identityOf(process.ppid) as ProcessIdentity, workerIndex: 4 });
    parent.meter.gauge(level, {}).set(1);
    parent.keeper.start();
    expect(readdirSync(folder).some((name) => name.startsWith(`${living.pid}-1.`))).toBe(false);
    expect(await samplesOf(parent.view)).toEqual(["level 1"]);
  });

  test("without a folder it is kept in memory", async () => {
    const { meter, keeper, view } = keep({ folder: undefined });
    meter.counter(hits, {}).add(2);
    keeper.start();
    expect(await samplesOf(view)).toEqual(["hits_total 2"]);
    await keeper.stop();
  });

  describe("a folder that can't be made at the start", () => {
    beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
    afterEach(() => void vi.useRealTimers());
    const later = (): void => void vi.advanceTimersByTime(5000);

    test("is made later: from then on others read it, and what was counted before is counted once", async () => {
      const registry = new Registry();
      const mine = new Counter({ name: "mine_total", help: "Mine.", registers: [registry] });
      const before = keep();
      before.meter.counter(hits, {}).add(10);
      before.keeper.start();
      await before.keeper.stop();
      let isPlace = false;
      const placed: string[] = [];
      const remakeFolder = (): string => {
        if (!isPlace) throw new Error("EROFS");
        return folder;
      };
      const { meter, keeper, view } = keep({
        folder: undefined,
        remakeFolder,
        onPlaced: (each) => placed.push(each),
        registries: () => [registry],
      });
      keeper.start();
      mine.inc();
      meter.counter(hits, {}).add(2);
      meter.gauge(level, {}).set(5);
      for (let n = 0; n < 3; n++) {
        later();
        expect((await samplesOf(view)).sort()).toEqual(["hits_total 2", "level 5", "mine_total 1"]);
      }
      expect([keeper.folder, placed]).toEqual([undefined, []]);
      isPlace = true;
      // No sooner than it is time.
      keeper.flush();
      expect(keeper.folder).toBeUndefined();
      later();
      meter.counter(hits, { late: "yes" }).add(1);
      for (const each of [view, keep({ workerIndex: 1 }).view])
        expect((await samplesOf(each)).sort()).toEqual(["hits_total 12", 'hits_total{late="yes"} 1', "level 5", "mine_total 1"]);
      expect([keeper.folder, placed]).toEqual([folder, [folder]]);
      meter.counter(hits, {}).add(1);
      later();
      expect(await samplesOf(view)).toContain("hits_total 13");
      expect(placed).toHaveLength(1);
      await keeper.stop();
      expect(told.filter((each) => each.includes("now that there is a place"))).toHaveLength(1);
    });

    test("is not used while its files can't be opened, nor where it is somebody else's", async () => {
      for (const remakeFolder of [
        () => join(folder, "absent"),
        () => {
          throw new Error("belongs to somebody else");
        },
      ]) {
        // prettier-ignore
        const { meter, keeper, view } = keep({ folder: undefined, remakeFolder });
        meter.counter(hits, {}).add(2);
        keeper.start();
        later();
        expect(await samplesOf(view)).toEqual(["hits_total 2"]);
        expect(keeper.folder).toBeUndefined();
        await keeper.stop();
      }
      expect(readdirSync(folder)).toEqual([]);
      expect(told).toEqual([]);
    });
  });

  test("what prom-client holds is copied at a beat, and before it is shown", async () => {
    const registry = new Registry();
    const counter = new Counter({ name: "mine_total", help: "Mine.", registers: [registry] });
    const { keeper, view } = keep({ registries: () => [registry] });
    keeper.start();
    counter.inc();
    expect(await samplesOf(view)).toEqual(["mine_total 1"]);
    counter.inc();
    keeper.beat(0);
    await keeper.copyRegistries();
    keeper.flush();
    expect(await samplesOf(keep({ workerIndex: 1 }).view)).toEqual(["mine_total 2"]);
  });

  test.runIf(process.getuid?.() !== 0)("a folder that can't be written is told once, and tried again", () => {
    chmodSync(folder, 0o500);
    const { keeper } = keep();
    keeper.start();
    keeper.flush();
    expect(told.filter((each) => each.startsWith("metrics can't be written"))).toHaveLength(1);
    chmodSync(folder, 0o700);
  });

  test("a folder that has been removed is made anew", async () => {
    const { meter, keeper, view } = keep();
    meter.counter(hits, {}).add(2);
    keeper.start();
    rmSync(folder, { recursive: true });
    meter.counter(hits, {}).add(1);
    expect(await samplesOf(view)).toEqual(["hits_total 3"]);
    expect(await samplesOf(keep({ workerIndex: 1 }).view)).toEqual(["hits_total 3"]);
  });
});

describe("the view of all", () => {
  test("those who ask for the same while they wait share one answer; a failure is told to all, and ends nothing", async () => {
    const { keeper, view } = keep();
    keeper.start();
    let made = 0;
    const make = (): Promise<number> => Promise.resolve((made += 1));
    expect(await Promise.all([view.ask("a", make), view.ask("a", make), view.ask("b", make)])).toEqual([1, 1, 2]);
    const failed = await Promise.allSettled([view.ask("a", () => Promise.reject(new Error("no"))), view.ask("b", make)]);
    expect(failed.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
    // Who asks while an answer is made gets the next one.
    const first = view.ask("a", async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return make();
    });
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    const second = view.ask("c", make);
    expect((await second) > (await first)).toBe(true);
  });

  test("what is left out is counted, and told once", async () => {
    writeFileSync(join(folder, "notes.txt"), "");
    writeFileSync(join(folder, "7.values"), "");
    const old = keep({ owner: { pid: living.pid, startedAt: 1 } });
    old.meter.counter({ ...hits, labelNames: ["a"] }, { a: "x" }).add(1);
    old.keeper.start();
    const { meter, keeper, view } = keep();
    meter.counter({ ...hits, labelNames: ["b"] }, { b: "y" }).add(1);
    keeper.start();
    const text = (): Promise<string> => view.ask("t", ({ families }) => Promise.resolve(print(families, "prometheus")));
    await text();
    expect(await text()).toMatch(/^tsserve_exporter_left_out_files\{reason="foreign"\} 1$/m);
    expect(await text()).toMatch(/^tsserve_exporter_left_out_files\{reason="version"\} 1$/m);
    expect(await text()).toMatch(/^tsserve_exporter_left_out_series 1$/m);
    expect(await samplesOf(view)).toEqual(['hits_total{b="y"} 1']);
    expect(told.filter((each) => each.includes("hits_total has been defined anew"))).toHaveLength(1);
    expect(told.filter((each) => each.includes("left out of the metrics"))).toHaveLength(3);
  });
});
