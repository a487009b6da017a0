import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { makeTemporaryFolder, spawnTsserve, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { app, get, serveFleet, up } from "./support/fleet.ts";
import { run } from "./support/run.ts";

describe("two masters at once", () => {
  test("on one unix socket: one serves, the other says why and exits", async () => {
    using folder = makeTemporaryFolder({
      "package.json": '{"type":"module"}',
      "app.js": app("one of two"),
      "app.ini": "[server:main]\nfactory = tsserve/http\nmetrics.enabled = false\n[app:main]\nfactory = ./app.js\n",
    });
    const args = ["app.ini", "--workers", "1", "--bind", `${folder.path}/app.sock`];
    const masters = [0, 1].map((index) => spawnTsserve({ args: [...args, "--socket", `${folder.path}/${index}.sock`], cwd: folder.path }));
    try {
      const ended = await Promise.race(masters.map(async (master) => ({ master, code: (await master.exited(30_000)).code })));
      expect(ended.code).toBe(3);
      expect(ended.master.stderr()).toContain(`cannot listen on ${folder.path}/app.sock: another process is listening there`);
      const other = masters.find((master) => master !== ended.master);
      await until("the other", () => other?.logs().some(({ msg }) => msg.endsWith(" is up")));
      const socket = connect(`${folder.path}/app.sock`);
      socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
      const text = await new Promise<string>((resolve) => socket.once("data", (bytes) => resolve(bytes.toString())));
      expect(text).toMatch(/^HTTP\/1.1 200/);
    } finally {
      for (const master of masters) {
        master.kill("SIGTERM");
        await master.exited(20_000);
      }
    }
  });

  test("on one control socket: the other says why and exits", async () => {
    await using fleet = await serveFleet({ workers: 1 });
    await up(fleet, 1);
    await using second = await serveFleet({ workers: 1, args: ["--socket", fleet.socket] });
    expect(await second.exited()).toMatchObject({ code: 3 });
    expect(second.stderr()).toBe(`cannot listen on ${fleet.socket}: another process is listening there (EADDRINUSE)\n`);
    expect(await fleet.ctl("status")).toMatchObject({ code: 0 });
  });
});

test.each([
  ["--bind", ["app.ini", "--bind", `/tmp/${"x".repeat(120)}`], 3],
  ["--bind of a master", ["app.ini", "--workers", "1", "--bind", `/tmp/${"x".repeat(120)}`], 3],
  ["--socket", ["app.ini", "--workers", "1", "--bind", "127.0.0.1:0", "--socket", `/tmp/${"x".repeat(120)}`], 3],
  ["ctl --socket", ["ctl", "status", "--socket", `/tmp/${"x".repeat(120)}`], 1],
])("a path that is too long for a unix socket is answered by a sentence: %s", async (_, args, code) => {
  const files = {
    "a.js": "export const makeApp = () => () => {};",
    "package.json": '{"type":"module"}',
    "app.ini": "[server:main]\nfactory = tsserve/http\nmetrics.enabled = false\n[app:main]\nfactory = ./a.js\n",
  };
  const ended = await run(files, args);
  expect(ended).toMatchObject({ code });
  expect(ended.stderr).toMatch(/x: the path of a unix socket may have at most 10\d bytes, and this one has 125 \(ENAMETOOLONG\)/);
});

test("after kill -9 of a master a new one comes up, though its workers had a drain before them", async () => {
  await using fleet = await serveFleet({ server: "drain_time = 60 seconds" });
  await up(fleet, 2);
  fleet.kill("SIGKILL");
  fleet.write("app.ini", readFileSync(`${fleet.folder}/app.ini`, "utf8").replace("60 seconds", "0 seconds"));
  await using next = spawnTsserve({
    args: ["app.ini", "--bind", `127.0.0.1:${fleet.port}`, "--workers", "1"],
    cwd: fleet.folder,
  });
  await until("the next one", () => next.logs().some(({ msg }) => msg.endsWith(" is up")));
  expect((await get(fleet)).greeting).toBe("one");
  next.kill("SIGTERM");
  expect(await next.exited(20_000)).toMatchObject({ code: 0 });
});

test("under Einhorn by way of a shell it is said why nothing acknowledges", async () => {
  using folder = makeTemporaryFolder({
    "package.json": '{"type":"module"}',
    "app.js": app("shell"),
    "app.ini": "[server:main]\nfactory = tsserve/http\nmetrics.enabled = false\n[app:main]\nfactory = ./app.js\n",
  });
  const bin = `${import.meta.dirname}/../packages/tsserve/bin/tsserve.js`;
  const command = `"${process.env["TSSERVE_TEST_NODE"] ?? process.execPath}" "${bin}" app.ini --bind 127.0.0.1:0; true`;
  const child = spawn("/bin/sh", ["-c", command], {
    cwd: folder.path,
    env: { ...process.env, EINHORN_MASTER_PID: String(process.pid) },
    stdio: ["ignore", "pipe", "ignore"],
  });
  let output = "";
  child.stdout.on("data", (bytes: Buffer) => (output += bytes.toString()));
  await until("it to serve", () => output.includes("listening on"));
  const line = output.split("\n").find((each) => each.includes("Einhorn"));
  expect(line).toMatch(/Einhorn \(pid \d+\) has not started this process itself: between them is sh \(pid \d+\)/);
  const pid = Number(/"pid":(\d+)/.exec(output)?.[1]);
  process.kill(pid, "SIGTERM");
  await new Promise((resolve) => child.once("exit", resolve));
});
