import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, lstatSync, symlinkSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { makeTemporaryFolder } from "@tsserve/testing";
import { expect, test, vi } from "vitest";
import { controlPlace } from "./control-place.ts";

/** A pid that no process has here: that of one in another PID namespace, or of a dead one. */
const ended = (): number => spawnSync("/bin/true").pid;

async function listenAt(path: string): Promise<Server> {
  const server = createServer().listen(path);
  await once(server, "listening");
  return server;
}

test("what dead processes left is removed, and a socket at which somebody listens stays, whatever its pid", async () => {
  using temporary = makeTemporaryFolder({});
  const env = { XDG_RUNTIME_DIR: temporary.path };
  const folder = join(controlPlace(env, process.pid, undefined).path, "..");
  const [alive, linked, dead, dangling] = ["2147480001.sock", "2147480002.sock", "2147480003.sock", "2147480004.sock"].map((name) =>
    join(folder, name),
  ) as [string, string, string, string];
  const own = join(folder, `${ended()}.sock`);
  const servers = [await listenAt(alive), await listenAt(join(temporary.path, "named.sock"))];
  symlinkSync(join(temporary.path, "named.sock"), linked);
  symlinkSync(join(temporary.path, "none.sock"), dangling);
  const listens = `require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))`;
  for (const path of [dead, own]) spawnSync(process.execPath, ["-e", listens, path]);
  expect([dead, own].map((path) => lstatSync(path).isSocket())).toEqual([true, true]);
  controlPlace(env, process.pid, undefined);
  await vi.waitUntil(() => [dead, own].every((path) => !existsSync(path)));
  await vi.waitUntil(() => lstatSync(dangling, { throwIfNoEntry: false }) === undefined);
  expect([alive, linked].map((path) => existsSync(path))).toEqual([true, true]);
  for (const server of servers) server.close();
});
