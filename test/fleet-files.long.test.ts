import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { get, serveFleet, up, type Fleet } from "./support/fleet.ts";

/** Says what it was configured with, by the INI file and by the environment file. */
const app = `export const makeApp = ({ greeting, name }) => (request, response) =>
  response.end(JSON.stringify({ greeting: [greeting, name, process.env.NAME].join(), pid: process.pid }));
`;

async function fleetOfFiles(): Promise<Fleet> {
  return serveFleet({
    workers: 2,
    app,
    more: "greeting = one\nname = $NAME",
    args: ["--env-file", "app.env"],
    files: { "app.env": "NAME=first" },
  });
}

const ini = (fleet: Fleet): string => readFileSync(`${fleet.folder}/app.ini`, "utf8");
const changed = (fleet: Fleet, from: string, to: string): void => fleet.write("app.ini", ini(fleet).replace(from, to));

/** Kills both workers; gives what the fleet answers when others are in their place. */
async function afterDeaths(fleet: Fleet): Promise<string> {
  const before = (await fleet.settled(2)).workers.map(({ pid }) => pid);
  const ups = fleet.logs().filter(({ msg }) => msg.endsWith(" is up")).length;
  for (const pid of before) process.kill(pid, "SIGKILL");
  await up(fleet, ups + 2);
  const after = (await fleet.settled(2)).workers.map(({ pid }) => pid);
  expect(after.filter((pid) => before.includes(pid))).toEqual([]);
  return (await get(fleet)).greeting;
}

const ruins: [string, (fleet: Fleet) => void][] = [
  ["the INI file has gone", (fleet) => rmSync(`${fleet.folder}/app.ini`)],
  ["the INI file is half written", (fleet) => fleet.write("app.ini", ini(fleet).slice(0, 40))],
  ["the INI file is empty", (fleet) => fleet.write("app.ini", "")],
  ["a folder stands in the INI file's place", (fleet) => (rmSync(`${fleet.folder}/app.ini`), mkdirSync(`${fleet.folder}/app.ini`))],
  ["a key of the INI file is wrong", (fleet) => changed(fleet, "access_log", "acces_log")],
  ["the INI file names another app", (fleet) => changed(fleet, "./app.js", "./other.js")],
  ["the INI file says something else", (fleet) => changed(fleet, "greeting = one", "greeting = two")],
  ["the environment file has gone", (fleet) => rmSync(`${fleet.folder}/app.env`)],
  ["the environment file is wrong", (fleet) => fleet.write("app.env", 'NAME="open')],
  ["the environment file says something else", (fleet) => fleet.write("app.env", "NAME=second")],
];

describe("a worker that dies is replaced by one with the configuration that it had", () => {
  test.each(ruins)("though %s, until somebody asks for an upgrade", async (_name, ruin) => {
    await using fleet = await fleetOfFiles();
    await up(fleet, 2);
    const text = ini(fleet);
    ruin(fleet);
    expect(await afterDeaths(fleet)).toBe("one,first,first");
    rmSync(`${fleet.folder}/app.ini`, { recursive: true, force: true });
    fleet.write("app.ini", text.replace("greeting = one", "greeting = three"));
    fleet.write("app.env", "NAME=third");
    expect(await fleet.ctl("upgrade")).toMatchObject({ code: 0 });
    expect((await get(fleet)).greeting).toBe("three,third,third");
    ruin(fleet);
    expect(await afterDeaths(fleet)).toBe("three,third,third");
  });

  test.each([
    ["is refused by the master", "access_log", "acces_log"],
    ["is given up, since its workers don't come up", "./app.js", "./other.js"],
  ])("after an upgrade that %s", async (_name, from, to) => {
    await using fleet = await fleetOfFiles();
    await up(fleet, 2);
    changed(fleet, "greeting = one", "greeting = two");
    changed(fleet, from, to);
    expect(await fleet.ctl("upgrade")).toMatchObject({ code: 1 });
    expect(await afterDeaths(fleet)).toBe("one,first,first");
    changed(fleet, to, from);
    expect(await fleet.ctl("upgrade")).toMatchObject({ code: 0 });
    expect((await get(fleet)).greeting).toBe("two,first,first");
  });
});
