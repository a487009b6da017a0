import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { listenAtPath } from "./listen-at-path.ts";
import { stopAccepting } from "./stop-accepting.ts";
import { checkUnixPath } from "./unix-path.ts";
import { clearStaleSocket, nameBeside, placeSocket } from "./unix-socket.ts";

let folder: string;
const servers: Server[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tsserve-unix-"));
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  rmSync(folder, { recursive: true, force: true });
});

function serverOf(): Server {
  const server = createServer((socket) => socket.destroy());
  servers.push(server);
  return server;
}

/** A file that a dead process left: its name is kept when the socket goes. */
async function leaveStale(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${path}.bound`, resolve));
  await placeSocket(`${path}.bound`, path);
  await new Promise((resolve) => server.close(resolve));
}

describe("listenAtPath", () => {
  test("has its file only while it accepts, with the rights that were asked for, and nothing beside it", async () => {
    const server = serverOf();
    await listenAtPath(server, `${folder}/a.sock`, { mode: 0o640, backlog: 5 });
    expect(readdirSync(folder)).toEqual(["a.sock"]);
    expect(statSync(`${folder}/a.sock`).mode & 0o777).toBe(0o640);
    expect(server.address()).toBe(`${folder}/a.sock`);
    stopAccepting(server);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("of many at once one has it, the others say why", async () => {
    for (const stale of [false, true]) {
      const path = `${folder}/${stale ? "stale" : "new"}.sock`;
      if (stale) await leaveStale(path);
      const results = await Promise.allSettled(Array.from({ length: 6 }, () => listenAtPath(serverOf(), path, {})));
      const refused = results.flatMap((result) => (result.status === "rejected" ? [String(result.reason)] : []));
      expect(refused).toEqual(
        Array.from({ length: 5 }, () => `ListenError: cannot listen on ${path}: another process is listening there (EADDRINUSE)`),
      );
    }
    expect(readdirSync(folder).sort()).toEqual(["new.sock", "stale.sock"]);
  });

  test("leaves a file alone that is no socket, and one that somebody else has put in its place", async () => {
    writeFileSync(`${folder}/file`, "mine");
    await expect(listenAtPath(serverOf(), `${folder}/file`, {})).rejects.toThrow("the file exists and is not a socket");
    const placed = await listenAtPath(serverOf(), `${folder}/b.sock`, {});
    rmSync(`${folder}/b.sock`);
    expect(placed.isThere()).toBe(false);
    const other = await listenAtPath(serverOf(), `${folder}/b.sock`, {});
    placed.remove();
    expect([placed.isThere(), other.isThere()]).toEqual([false, true]);
  });
});

// Who may do everything is refused nothing: for a while it is another user who looks.
test.skipIf(process.getuid?.() !== 0)(
  "a socket in a folder that may not be looked into any more counts as there, and is looked at without an error",
  async () => {
    const placed = await listenAtPath(serverOf(), `${folder}/locked.sock`, {});
    chmodSync(folder, 0o700);
    process.seteuid?.(65_534);
    try {
      expect(placed.isThere()).toBe(true);
      placed.remove();
    } finally {
      process.seteuid?.(0);
    }
    expect(existsSync(`${folder}/locked.sock`)).toBe(true);
    rmSync(`${folder}/locked.sock`);
    expect(placed.isThere()).toBe(false);
  },
);

test("clearStaleSocket removes what nobody listens on, and nothing else", async () => {
  await clearStaleSocket(`${folder}/none`);
  await leaveStale(`${folder}/dead.sock`);
  expect(existsSync(`${folder}/dead.sock`)).toBe(true);
  await clearStaleSocket(`${folder}/dead.sock`);
  expect(existsSync(`${folder}/dead.sock`)).toBe(false);
  await listenAtPath(serverOf(), `${folder}/live.sock`, {});
  await expect(clearStaleSocket(`${folder}/live.sock`)).rejects.toThrow("another process is listening there");
  expect(existsSync(`${folder}/live.sock`)).toBe(true);
});

test("a name beside a path is in its folder, no longer than it, and another each time", () => {
  for (const name of ["a", "ab", "app.sock", "a-very-long-name-of-a-socket.sock"]) {
    const beside = nameBeside(`/run/${name}`);
    expect(beside.startsWith("/run/")).toBe(true);
    expect(beside.length).toBeLessThanOrEqual(`/run/${name}`.length);
  }
  expect(nameBeside("/run/app.sock")).not.toBe(nameBeside("/run/app.sock"));
});

test("a name beside a path is never one that Node would take for a port", () => {
  const names = Array.from({ length: 20_000 }, () => nameBeside("./app.sock"));
  expect(names.filter((name) => Number(name) >= 0)).toEqual([]);
});

test.skipIf(process.platform !== "linux").each([
  ["x".repeat(107), true],
  ["x".repeat(108), false],
  ["é".repeat(53), true],
  ["é".repeat(54), false],
])("a path has at most 107 bytes: %s", (path, isShort) => {
  if (isShort) checkUnixPath(path);
  else expect(() => checkUnixPath(path, "connect to")).toThrow(/^cannot connect to .* may have at most 107 bytes, and this one has 108/);
});
