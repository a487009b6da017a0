import { spawn } from "node:child_process";
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { makeTemporaryFolder, until, type TemporaryFolder } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { serve } from "./support/serve.ts";

const python = "/usr/bin/python3";
const canListen = existsSync(python) && existsSync("/usr/bin/systemd-notify");

interface Manager extends AsyncDisposable {
  readonly socket: string;
  readonly messages: () => string[];
}

/** What systemd is for `systemd-notify`: a datagram socket. `answers` says whether it closes the descriptor by which it is waited for. */
async function manager(folder: TemporaryFolder, answers: boolean): Promise<Manager> {
  const socket = join(folder.path, "notify.sock");
  const program = `
import socket, os, sys, array
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("listening", flush=True)
while True:
    data, ancillary, _, _ = s.recvmsg(65536, 1024)
    print(data.decode().replace("\\n", "|"), flush=True)
    for level, kind, value in ancillary:
        if kind == socket.SCM_RIGHTS and ${answers ? "True" : "False"}:
            for fd in array.array("i", value): os.close(fd)
`;
  const child = spawn(python, ["-c", program, socket], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => (text += part));
  const lines = (): string[] => text.split("\n").filter((line) => line !== "");
  await until("the listener of datagrams", () => lines().includes("listening"));
  return {
    socket,
    messages: () => lines().filter((line) => line !== "listening" && !line.startsWith("BARRIER=")),
    [Symbol.asyncDispose]: () => {
      child.kill("SIGKILL");
      return Promise.resolve();
    },
  };
}

/** The states that were told, one after the other. */
const states = (messages: readonly string[]): string[] =>
  messages.flatMap((message) => message.split("|")).filter((part) => /^(?:READY|RELOADING|STOPPING)=/.test(part));

describe.skipIf(!canListen)("systemd is told", () => {
  test.each([true, false])("of a process that it is ready and stops (a manager that answers: %s)", async (answers) => {
    const folder = makeTemporaryFolder();
    await using systemd = await manager(folder, answers);
    await using server = serve({ env: { NOTIFY_SOCKET: systemd.socket } });
    const url = await server.listening();
    await until("READY", () => states(systemd.messages()).includes("READY=1"));
    expect(systemd.messages()[0]).toContain(`MAINPID=${server.pid}`);
    expect(systemd.messages()[0]).toContain(`STATUS=serving on ${url}`);
    server.kill();
    await server.exited();
    await until("STOPPING", () => states(systemd.messages()).includes("STOPPING=1"));
    expect(states(systemd.messages())).toEqual(["READY=1", "STOPPING=1"]);
    expect(server.logs().filter(({ msg }) => msg.includes("systemd"))).toEqual([]);
    folder.remove();
  });

  test("of a fleet that it is ready when all workers are, reloads, and stops; its workers say nothing", async () => {
    const folder = makeTemporaryFolder();
    await using systemd = await manager(folder, true);
    await using server = serve({ args: ["--workers", "2"], env: { NOTIFY_SOCKET: systemd.socket } });
    await until("READY", () => states(systemd.messages()).length === 1);
    // READY came after the last of the workers was up.
    expect(server.logs().filter(({ msg }) => msg.endsWith(" is up"))).toHaveLength(2);
    server.kill("SIGHUP");
    await until("the end of the upgrade", () => states(systemd.messages()).length === 3);
    server.kill();
    await server.exited();
    await until("STOPPING", () => states(systemd.messages()).length === 4);
    expect(states(systemd.messages())).toEqual(["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]);
    expect(systemd.messages().join("\n")).toMatch(/RELOADING=1\|MONOTONIC_USEC=\d+/);
    for (const message of systemd.messages()) expect(message).toContain(`MAINPID=${server.pid}`);
    folder.remove();
  });

  test("that it lives, where it wants to know that", async () => {
    const folder = makeTemporaryFolder();
    await using systemd = await manager(folder, true);
    await using server = serve({ env: { NOTIFY_SOCKET: systemd.socket, WATCHDOG_USEC: "400000" } });
    await until("two signs of life", () => systemd.messages().filter((message) => message.includes("WATCHDOG=1")).length >= 2);
    expect(server.logs()).toContainEqual(expect.objectContaining({ level: "warn", watchdog_ms: 400 }));
    folder.remove();
  });

  test("nothing of a start that fails", async () => {
    const folder = makeTemporaryFolder();
    await using systemd = await manager(folder, true);
    await using server = serve({ app: "no-such-app.js", env: { NOTIFY_SOCKET: systemd.socket } });
    expect((await server.exited()).code).toBe(3);
    expect(states(systemd.messages())).not.toContain("READY=1");
    folder.remove();
  });
});

describe("no process is started to tell", () => {
  const recording = (folder: TemporaryFolder): string => {
    folder.write("bin/systemd-notify", `#!/bin/sh\necho "$@" >> ${folder.path}/told\n`);
    chmodSync(join(folder.path, "bin", "systemd-notify"), 0o755);
    return `${join(folder.path, "bin")}:${process.env["PATH"]}`;
  };

  test.each([
    ["where nobody asks", {}, {}],
    ["where the file says off", { NOTIFY_SOCKET: "/nowhere/notify.sock" }, { notify: "off" }],
  ])("%s", async (_where, env: Record<string, string>, server: Record<string, string>) => {
    const folder = makeTemporaryFolder();
    await using served = serve({ server, env: { PATH: recording(folder), ...env } });
    await served.listening();
    served.kill();
    await served.exited();
    expect(existsSync(join(folder.path, "told"))).toBe(false);
    folder.remove();
  });

  test("by another program than the first of its name: what it is told stands in its arguments", async () => {
    const folder = makeTemporaryFolder();
    await using served = serve({ env: { PATH: recording(folder), NOTIFY_SOCKET: "@abstract" } });
    await served.listening();
    await until("the record", () => existsSync(join(folder.path, "told")) && readFileSync(join(folder.path, "told"), "utf8"));
    expect(readFileSync(join(folder.path, "told"), "utf8")).toMatch(new RegExp(`^--pid=${served.pid} READY=1 STATUS=serving on `));
    folder.remove();
  });
});

test("without systemd-notify there is one warning, and the service goes on", async () => {
  await using served = serve({ env: { PATH: "/nowhere", NOTIFY_SOCKET: "/nowhere/notify.sock" } });
  const url = await served.listening();
  await served.log(/could not be told of the state/);
  expect((await fetch(url)).status).toBe(200);
  served.kill();
  expect((await served.exited()).code).toBe(0);
  expect(served.logs().filter(({ msg }) => /could not be told/.test(msg))).toHaveLength(1);
});

test("asking for systemd where it did not start the service is warned of", async () => {
  await using served = serve({ server: { notify: "systemd" } });
  await served.listening();
  await served.log(/NOTIFY_SOCKET is not set/);
});
