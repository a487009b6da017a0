import { spawn, spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { serveFleet, up, type Fleet, get } from "./support/fleet.ts";
import { hasProgram } from "./support/measured.ts";
import { serve } from "./support/serve.ts";

const bin = join(dirname(createRequire(import.meta.url).resolve("tsserve/package.json")), "bin/tsserve.js");
const node = process.env["TSSERVE_TEST_NODE"] ?? process.execPath;

/** `tsserve ctl repl`, with what is typed there. */
interface Repl {
  say(text: string): void;
  end(): void;
  said(pattern: RegExp): Promise<string>;
  readonly exited: Promise<number | null>;
  readonly errors: () => string;
}

function openRepl(socket: string, args: readonly string[] = [], command: readonly string[] = [node]): Repl {
  const [program = "", ...before] = command;
  const child = spawn(program, [...before, bin, "ctl", "repl", "--socket", socket, ...args], { stdio: "pipe" });
  return talkTo(child);
}

function talkTo(child: ReturnType<typeof spawn>): Repl {
  let text = "";
  let errors = "";
  child.stdout?.setEncoding("utf8").on("data", (part: string) => (text += part));
  child.stderr?.setEncoding("utf8").on("data", (part: string) => (errors += part));
  child.stdin?.on("error", () => undefined);
  return {
    say: (line) => void child.stdin?.write(line),
    end: () => void child.stdin?.end(),
    said: (pattern) => until(`${pattern}`, () => (pattern.test(text) ? text : undefined), { describe: () => text + errors }),
    exited: new Promise((resolve) => child.once("close", resolve)),
    errors: () => errors,
  };
}

async function talkative(workers: number): Promise<Fleet> {
  const fleet = await serveFleet({
    workers,
    server: "metrics.enabled = false\ncontrol_repl = true",
    more: "greeting = hello\npassword = hunter2hunter2",
  });
  await up(fleet, workers);
  return fleet;
}

describe("tsserve ctl repl", () => {
  test("is off unless the file allows it, in a fleet and in a single process", async () => {
    await using fleet = await serveFleet({ workers: 1, server: "metrics.enabled = false" });
    await up(fleet, 1);
    await using server = serve({ server: { control_socket: "./ctl.sock", "metrics.enabled": "false" } });
    await server.listening();
    for (const [socket, who] of [
      [fleet.socket, "worker 0"],
      [join(server.folder, "ctl.sock"), "the process"],
    ] as const) {
      const repl = openRepl(socket);
      expect(await repl.exited).toBe(1);
      expect(repl.errors()).toMatch(
        new RegExp(`^${who} \\(pid \\d+\\): ctl repl is off; control_repl = true in the server's section allows it`),
      );
    }
    await until("a line of it", () => fleet.logs().filter(({ msg }) => msg.startsWith("ctl repl: refused to")).length === 1);
  });

  test("talks to the worker that is named, by a pipe; every line is in the log, without secrets", async () => {
    await using fleet = await talkative(2);
    const pid = (await fleet.status()).workers[1]?.pid;
    const repl = openRepl(fleet.socket, ["--worker", "1"]);
    repl.say("process.pid\nconfig.greeting\ntypeof app\ncontext.log === undefined\n'hunter2hunter2'.length\n");
    repl.end();
    expect(await repl.said(/14\n/)).toBe(`${pid}\n'hello'\n'function'\nfalse\n14\n`);
    expect(await repl.exited).toBe(0);
    const lines = await until("a line for each", () => {
      const found = fleet.logs().filter(({ msg }) => msg.startsWith("ctl repl: >"));
      return found.length >= 5 ? found : undefined;
    });
    expect(lines.map(({ level, worker, msg }) => [level, worker, msg])).toEqual(
      ["process.pid", "config.greeting", "typeof app", "context.log === undefined", "'****'.length"].map((line) => [
        "warn",
        1,
        `ctl repl: > ${line}`,
      ]),
    );
    expect(lines[0]?.["by"]).toMatch(/^\S+ \(ctl pid \d+\)$/);
    expect(fleet.stdout() + fleet.stderr()).not.toContain("hunter2");
    const nobody = openRepl(fleet.socket, ["--worker", "7"]);
    expect([await nobody.exited, nobody.errors()]).toEqual([1, "there is no worker 7 that is up; up are 0, 1\n"]);
  });

  test("leaves the worker serving, whatever is thrown, rejected or never settles there", async () => {
    await using fleet = await talkative(1);
    const pid = (await fleet.status()).workers[0]?.pid;
    const repl = openRepl(fleet.socket);
    repl.say('throw new Error("at once")\n');
    await repl.said(/Uncaught Error: at once/);
    repl.say('setTimeout(() => { throw new Error("later"); }, 5); 1\n');
    await repl.said(/Uncaught Error: later/);
    repl.say('Promise.reject(new Error("rejected")); 2\n');
    await repl.said(/Uncaught Error: rejected/);
    repl.say("await new Promise(() => {})\n");
    await fleet.log(/^ctl repl: > await/);
    expect((await get(fleet)).pid).toBe(pid);
    repl.say("\u0003");
    await repl.said(/no longer waited for/);
    repl.say("6 * 7\n");
    await repl.said(/42/);
    repl.say("await new Promise(() => {})\n");
    // What waits holds up no stop.
    fleet.kill();
    expect(await repl.said(/worker 0 \(pid \d+\) leaves \([^)]+\): the REPL ends/)).toContain(String(pid));
    expect([await repl.exited, (await fleet.exited()).code]).toEqual([0, 0]);
  });

  test("ends with a sentence where its worker is replaced, or killed", async () => {
    await using fleet = await talkative(1);
    const replaced = openRepl(fleet.socket);
    replaced.say("1 + 1\n");
    await replaced.said(/2\n/);
    expect((await fleet.ctl("upgrade")).code).toBe(0);
    await replaced.said(/leaves \(.*\): the REPL ends/);
    expect(await replaced.exited).toBe(0);
    const { workers } = await fleet.settled(1);
    const killed = openRepl(fleet.socket);
    killed.say("1 + 1\n");
    await killed.said(/2\n/);
    process.kill(workers[0]?.pid ?? 0, "SIGKILL");
    expect([await killed.exited, killed.errors()]).toEqual([1, "the worker has gone, and the REPL with it\n"]);
  });

  test("to a worker that is stuck says so, and a loop that is typed there is what the watchdog shows", async () => {
    await using server = serve({ server: { control_socket: "./ctl.sock", "metrics.enabled": "false", control_repl: "true" } });
    await server.listening();
    const repl = openRepl(join(server.folder, "ctl.sock"));
    repl.say("function typedLoop(ms) { for (const end = Date.now() + ms; Date.now() < end; ); return 'over'; }\ntypedLoop(15_000)\n");
    await server.log(/^ctl repl: > typedLoop/);
    server.kill("SIGUSR1");
    expect((await server.log(/^SIGUSR1: the event loop is stuck; this is where/))["stack"]).toContain("typedLoop");
    const another = openRepl(join(server.folder, "ctl.sock"));
    expect(await another.exited).toBe(1);
    expect(another.errors()).toMatch(/no answer within 10 s: its event loop is stuck/);
    await repl.said(/'over'/);
  });

  test.runIf(process.getuid?.() === 0)("is refused to other users", async () => {
    await using fleet = await talkative(1);
    const { status, stderr } = spawnSync(node, [bin, "ctl", "repl", "--socket", fleet.socket], {
      uid: 65_534,
      gid: 65_534,
      encoding: "utf8",
      input: "1\n",
    });
    // The folder is closed to them already, or the socket is.
    expect([status, stderr]).toEqual([1, expect.stringMatching(/permission denied|no such socket/)]);
  });

  test.runIf(hasProgram("/usr/bin/script"))("on a terminal has keys: completion, Ctrl-C, Ctrl-D", async () => {
    await using fleet = await talkative(1);
    const child = spawn("/usr/bin/script", ["-qfec", `${node} ${bin} ctl repl --socket ${fleet.socket}`, "/dev/null"], { stdio: "pipe" });
    const repl = talkTo(child);
    await repl.said(/worker 0 \(pid \d+\): app, config, context; \.exit or Ctrl-D leaves/);
    repl.say("config.gree\t");
    await repl.said(/config\.greeting/);
    repl.say("\r");
    await repl.said(/'hello'/);
    repl.say("garbage(\u0003");
    repl.say("await new Promise(() => {})\r");
    await fleet.log(/^ctl repl: > await/);
    repl.say("\u0003");
    await repl.said(/no longer waited for/);
    repl.say("'still ' + 'here'\r");
    await repl.said(/'still here'/);
    repl.say("\u0004");
    expect(await repl.exited).toBe(0);
  });
});
