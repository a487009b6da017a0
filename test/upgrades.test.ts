import { readFileSync, renameSync, symlinkSync } from "node:fs";
import { freePort, makeTemporaryFolder, spawnTsserve, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { app, askStatus, get, serveFleet, up } from "./support/fleet.ts";
import { Loads } from "./support/loads.ts";
import { run } from "./support/run.ts";
import { unhurried, upgradeUnderLoad } from "./support/upgrade-under-load.ts";

describe("an upgrade", () => {
  test("three times in a row, loses nothing: new connections and kept ones, 16 kB bodies, slow readers, streams", async () => {
    await upgradeUnderLoad(3);
  });

  test("of all at once loses nothing", async () => {
    await using fleet = await serveFleet({ server: `upgrade = fleet\n${unhurried}` });
    await up(fleet, 2);
    const loads = new Loads(fleet.port);
    const greets = (body: string): boolean => body.includes('"greeting"');
    loads.begin("kept", { clients: 12, keepAlive: true, expect: greets });
    loads.begin("new", { clients: 12, keepAlive: false, expect: greets });
    try {
      for (const generation of [2, 3, 4]) {
        fleet.write("app.js", app(`generation ${generation}`));
        if (generation === 3) fleet.kill("SIGHUP");
        else expect(await fleet.ctl("upgrade")).toMatchObject({ code: 0 });
        await until("the new generation", async () => (await fleet.status()).generation === generation);
        await fleet.settled(2);
        expect((await get(fleet)).greeting).toBe(`generation ${generation}`);
      }
      await loads.served(1);
    } finally {
      expect(await loads.end()).toEqual({});
    }
  });

  test("reads the INI file, the environment file and the code anew, through a link that has moved", async () => {
    const release = (name: string): Record<string, string> => ({
      [`${name}/package.json`]: '{"type":"module"}',
      [`${name}/app.js`]: `export const makeApp = ({ greeting }) => (request, response) => response.end("code ${name}, " + greeting);`,
      [`${name}/app.ini`]: `[server:main]\nfactory = tsserve/http\nworkers = ${name === "r1" ? 2 : 3}\n[app:main]\nfactory = ./app.js\ngreeting = ini ${name}, environment \${NAME}\n`,
      [`${name}/app.env`]: `NAME=${name}\n`,
    });
    const folder = makeTemporaryFolder({ ...release("r1"), ...release("r2") });
    const current = `${folder.path}/current`;
    symlinkSync("r1", current);
    const port = await freePort();
    const args = ["app.ini", "--env-file", "app.env", "--bind", `127.0.0.1:${port}`, "--socket", `${folder.path}/ctl.sock`];
    // As after `cd current` in a shell.
    const master = spawnTsserve({ args, cwd: current, env: { PWD: current } });
    const text = async (): Promise<string> => await (await fetch(`http://127.0.0.1:${port}`, { headers: { Connection: "close" } })).text();
    try {
      await until("both", () => master.logs().filter(({ msg }) => msg.endsWith(" is up")).length === 2);
      expect(await text()).toBe("code r1, ini r1, environment r1");
      symlinkSync("r2", `${current}.new`);
      renameSync(`${current}.new`, current);
      expect(await run({}, ["ctl", "upgrade", "--socket", `${folder.path}/ctl.sock`])).toMatchObject({ code: 0 });
      expect(await text()).toBe("code r2, ini r2, environment r2");
      // The master's own share of the new file, too.
      await until("three workers", async () => {
        const { workers } = await askStatus(`${folder.path}/ctl.sock`);
        return workers.filter(({ state }) => state === "up").length === 3;
      });
    } finally {
      master.kill("SIGTERM");
      expect(await master.exited()).toMatchObject({ code: 0 });
      folder.remove();
    }
  });

  test("of broken code is given up: the reason is told, and the old workers serve on", async () => {
    await using fleet = await serveFleet();
    await up(fleet, 2);
    const before = (await fleet.settled(2)).workers.map(({ pid }) => pid);
    fleet.write("app.js", "throw new Error('this is broken');");
    const { code, stderr } = await fleet.ctl("upgrade");
    expect(code).toBe(1);
    expect(stderr).toMatch(/^worker 2 of generation 2 ended before it came up:\n[^]*this is broken/);
    const log = fleet.logs().find(({ msg }) => msg.startsWith("generation 2 is abandoned"));
    expect(log).toMatchObject({ level: "error", worker: 2, gen: 2 });
    expect(String(log?.["last_words"])).toContain("this is broken");
    expect((await fleet.settled(2)).workers.map(({ pid }) => pid)).toEqual(before);
    // A wrong file, too.
    fleet.write("app.js", app("good again"));
    const ini = readFileSync(`${fleet.folder}/app.ini`, "utf8");
    fleet.write("app.ini", ini.replace("access_log", "acess_log"));
    expect((await fleet.ctl("upgrade")).stderr).toContain('acess_log: unknown key, did you mean "access_log"?');
    fleet.write("app.ini", ini);
    expect(await fleet.ctl("upgrade")).toMatchObject({ code: 0 });
    expect((await get(fleet)).greeting).toBe("good again");
  });

  test("of a factory that hangs is given up after start_timeout", async () => {
    await using fleet = await serveFleet();
    await up(fleet, 2);
    // From the upgrade on: a busy machine may need longer for the first ones.
    const file = readFileSync(`${fleet.folder}/app.ini`, "utf8");
    fleet.write("app.ini", file.replace("[server:main]", "[server:main]\nstart_timeout = 2 seconds"));
    fleet.write("app.js", "export const makeApp = () => new Promise(() => setInterval(() => {}, 1000));");
    const { code, stderr } = await fleet.ctl("upgrade");
    expect([code, stderr]).toEqual([1, "worker 2 of generation 2 did not come up within start_timeout\n"]);
    expect((await get(fleet)).greeting).toBe("one");
    await fleet.settled(2);
  });

  test("during an upgrade begins anew", async () => {
    await using fleet = await serveFleet({ server: "drain_time = 500 milliseconds" });
    await up(fleet, 2);
    fleet.write("app.js", app("two"));
    const first = fleet.ctl("upgrade");
    await until("the first one", () => fleet.logs().some(({ msg }) => msg === "upgrading to generation 2"));
    fleet.write("app.js", app("three"));
    expect(await fleet.ctl("upgrade", "--no-wait")).toMatchObject({ code: 0, stdout: "the upgrade has begun\n" });
    const { code, stderr } = await first;
    // It may have been over by then.
    if (code !== 0) expect([code, stderr]).toEqual([1, "another upgrade has begun\n"]);
    await until("the third generation", async () => (await fleet.status()).generation === 3);
    await fleet.settled(2);
    expect((await get(fleet)).greeting).toBe("three");
  });
});
