import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname } from "node:path";
import { openRaw, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { serve, type Served } from "./support/serve.ts";

const node = process.env["TSSERVE_TEST_NODE"] ?? process.execPath;
/** As a user's shell starts the command: by the first lines of `bin/tsserve.js`. */
const asCommand = { node: "/bin/sh", env: { PATH: `${dirname(node)}${delimiter}${process.env["PATH"]}` } };

/** Whether a signal is among those of a line of `/proc/PID/status`: SigIgn (ignored), SigCgt (caught), … */
function isIn(line: "SigIgn" | "SigCgt", pid: number, signal: NodeJS.Signals): boolean {
  const mask = new RegExp(`^${line}:\\s*([0-9a-f]+)`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "0";
  return ((BigInt(`0x${mask}`) >> BigInt(constants.signals[signal] - 1)) & 1n) === 1n;
}

function isNode(pid: number): boolean {
  return readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith("node\0");
}

async function inspectorIsClosed(): Promise<boolean> {
  return (await openRaw("http://127.0.0.1:9229")).error === "ECONNREFUSED";
}

async function answers(server: Served): Promise<boolean> {
  return (await fetch(await server.listening())).status === 200;
}

describe.runIf(process.platform === "linux")("SIGUSR1 in the first moments", () => {
  test("of the command: whenever it comes, no inspector opens, and the app is served", async () => {
    const each = async (delayMs: number): Promise<void> => {
      await using server = serve(asCommand);
      // From when the shell has read its first line; sooner, nobody can ignore anything.
      const { pid } = server;
      await until("the shell's first line", () => isIn("SigIgn", pid, "SIGUSR1") || isIn("SigCgt", pid, "SIGUSR1") || isNode(pid));
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      server.kill("SIGUSR1");
      expect(await answers(server), `after ${delayMs} ms`).toBe(true);
      expect(await inspectorIsClosed(), `after ${delayMs} ms`).toBe(true);
      expect(server.stderr()).not.toMatch(/Debugger listening/);
    };
    await Promise.all([0, 10, 25, 50, 90, 150, 250].map(each));
  });

  test("of `node bin/tsserve.js`: what Node opened before the first instruction is closed by it", async () => {
    await using server = serve();
    await until("Node's own handler of SIGUSR1", () => isIn("SigCgt", server.pid, "SIGUSR1"));
    server.kill("SIGUSR1");
    expect(await answers(server)).toBe(true);
    await until("the inspector to be closed", inspectorIsClosed);
    server.kill("SIGUSR1");
    await server.log(/^SIGUSR1/);
    expect(await inspectorIsClosed()).toBe(true);
  });

  test("of a worker: the same", async () => {
    await using server = serve({ ...asCommand, args: ["--workers", "1"], server: { control_socket: "./control.sock" } });
    const { pid } = await until("a worker", () =>
      server.logs().find((line) => /pid=\d+/.test(line.msg) && { pid: /pid=(\d+)/.exec(line.msg)?.[1] }),
    );
    expect(readFileSync(`/proc/${String(pid)}/cmdline`, "utf8")).toContain("--inspect-port=192.0.2.1:9229");
  });
});

describe("SIGHUP that was ignored at exec", () => {
  test("stays ignored, as nohup promises", async () => {
    await using server = serve({ node: "/bin/sh", nodeArgs: ["-c", `trap '' HUP; exec "$0" "$@"`], env: asCommand.env });
    const base = await server.listening();
    server.kill("SIGHUP");
    server.kill("SIGUSR1");
    // Signals are heard in the order in which they were sent, or the lower number first: SIGHUP is 1.
    await server.log(/^SIGUSR1/);
    expect((await fetch(base)).status).toBe(200);
    expect(
      server
        .logs()
        .map(({ msg }) => msg)
        .join("\n"),
    ).not.toMatch(/SIGHUP/);
    server.kill();
    expect(await server.exited()).toEqual({ code: 0, signal: null });
  });
});

describe("an app that is stuck before it serves", () => {
  for (const place of ["module", "factory"]) {
    test(`in its ${place}: SIGUSR1 shows where, and SIGTERM ends the start`, async () => {
      await using server = serve({ app: "stuck-start.js", env: { STUCK_IN: place } });
      await until("the loop", () => server.stderr().includes("spinning"));
      server.kill("SIGUSR1");
      const line = await server.log(/^SIGUSR1: the event loop is stuck; this is where/);
      expect(line["stack"]).toMatch(/spinForEver \(.*stuck-start\.js:\d+/);
      server.kill("SIGTERM");
      expect(await server.exited()).toEqual({ code: 0, signal: null });
      await server.log(/^SIGTERM: the event loop is stuck; this is where, and the process ends/);
    });
  }
});
