import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeTemporaryFolder, spawnTsserve, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { iniOf } from "./support/serve.ts";

interface Place {
  readonly home: string;
  readonly packs: string;
  /** Serves until `seen`; gives the app's answer, and what stood on stderr. */
  start(seen?: () => boolean): Promise<{ status: number; stderr: string }>;
}

function place(): Place & Disposable {
  const folder = makeTemporaryFolder({ "app.ini": iniOf({}) });
  const home = join(folder.path, "home");
  mkdirSync(home, { mode: 0o700 });
  const packs = join(home, ".cache/tsserve/packs");
  return {
    home,
    packs,
    start: async (seen = () => true) => {
      await using server = spawnTsserve({
        args: ["app.ini", "--bind", "127.0.0.1:0"],
        cwd: folder.path,
        env: { HOME: home, XDG_CACHE_HOME: undefined },
      });
      const { status } = await fetch(await server.listening());
      await until("what is waited for", () => seen() || undefined);
      return { status, stderr: server.stderr() };
    },
    [Symbol.dispose]: () => folder.remove(),
  };
}

const packsOf = ({ packs }: Place): string[] => {
  try {
    return readdirSync(packs).filter((name) => !name.includes("."));
  } catch {
    return [];
  }
};
const isKept = (where: Place) => (): boolean => packsOf(where).length === 1;
const served = { status: 200, stderr: "" };

describe("what V8 compiled is kept for the next start", () => {
  test("by the first, and the second changes nothing of it", async () => {
    using where = place();
    expect(await where.start(isKept(where))).toEqual(served);
    const [name = ""] = packsOf(where);
    const kept = readFileSync(join(where.packs, name));
    expect(kept.includes("fastify.js")).toBe(true);
    expect(await where.start()).toEqual(served);
    expect(readFileSync(join(where.packs, name)).equals(kept)).toBe(true);
  });

  test("damaged, it is not believed, and made anew", async () => {
    using where = place();
    await where.start(isKept(where));
    const path = join(where.packs, packsOf(where)[0] ?? "");
    const damaged = readFileSync(path);
    for (let at = 64; at < damaged.length; at += 97) damaged[at] = 0xff;
    writeFileSync(path, damaged);
    expect(await where.start(() => !readFileSync(path).equals(damaged))).toEqual(served);
  });
});

test.each<[string, (where: Place) => void]>([
  ["a file stands where its folder would be", ({ home }) => writeFileSync(join(home, ".cache"), "")],
  ["its folder may not be written to", ({ home }) => mkdirSync(join(home, ".cache/tsserve"), { recursive: true, mode: 0o500 })],
  ["its folder is a link to somewhere else", ({ home }) => symlinkSync("/tmp", join(home, ".cache"))],
  ["everybody may write to its folder", ({ home }) => (mkdirSync(join(home, ".cache")), chmodSync(join(home, ".cache"), 0o777))],
  ["there is no home", ({ home }) => chmodSync(home, 0)],
])("no start fails for it: %s", async (_name, ruin) => {
  using where = place();
  ruin(where);
  expect(await where.start()).toEqual(served);
});
