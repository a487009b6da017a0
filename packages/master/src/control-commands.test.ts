import { Socket } from "node:net";
import { expect, test } from "vitest";
import { answerTo, handOver, type ControlCommands } from "./control-commands.ts";

function commandsOf(): { readonly called: string[]; readonly commands: ControlCommands } {
  const called: string[] = [];
  const note = (text: string) => {
    called.push(text);
    return Promise.resolve({ ok: true as const, message: text });
  };
  return {
    called,
    commands: {
      status: () => ({ pid: 1, generation: 2, workers: [] }),
      greeting: () => "hello",
      target: () => 3,
      upgrade: () => note("upgrade"),
      resize: (target) => note(`resize ${target}`),
      stop: (how) => note(`stop ${how}`),
      signal: (name) => note(`signal ${name}`),
      reopen: () => note("reopen"),
      profile: async ({ by: _by, ...order }) => ({ ...(await note(JSON.stringify(order))), worker: 0, pid: 1, path: "", bytes: 0 }),
      repl: ({ worker }) => (worker === 9 ? "there is no worker 9" : void note(`repl ${worker}`)),
      acknowledge: (pid) => void note(`acknowledge ${pid}`),
    },
  };
}

test.each([
  [{ command: "upgrade" }, "upgrade"],
  [{ command: "inc" }, "resize 4"],
  [{ command: "dec", count: 2 }, "resize 1"],
  [{ command: "workers", count: 7 }, "resize 7"],
  [{ command: "signal", signal: "usr1" }, "signal SIGUSR1"],
  [{ command: "reopen" }, "reopen"],
  [{ command: "stop" }, "stop gracefully"],
  [{ command: "stop", now: false }, "stop gracefully"],
  [{ command: "stop", now: true }, "stop cut"],
  [{ command: "die" }, "stop gracefully"],
])("%j: %s", async (message, expected) => {
  const { called, commands } = commandsOf();
  expect(await answerTo(message, commands, () => called.push("strange"))).toEqual({ ok: true, message: expected });
  expect(called).toEqual([expected]);
});

test.each([
  [{ command: "dec", count: 3 }, /expected a number of workers from 1 to 1024, found 0/],
  [{ command: "inc", count: "many" }, /expected a number/],
  [{ command: "workers" }, /expected a number/],
  [{ command: "workers", count: 1.5 }, /found 1.5/],
  [{ command: "signal", signal: "SIGSTOP" }, /expected a signal such as SIGUSR1, found "SIGSTOP"/],
  [{ command: "profile", kind: "gpu" }, /expected a profile of cpu, heap or snapshot, found "gpu"/],
  [{ command: "profile" }, /expected a profile/],
  [{ command: "profile", kind: "cpu", worker: -1 }, /expected the number of a worker, found -1/],
  [{ command: "profile", kind: "cpu", worker: "0" }, /expected the number of a worker/],
  [{ command: "profile", kind: "cpu", seconds: 0 }, /expected a number of seconds above 0/],
  [{ command: "profile", kind: "cpu", seconds: 3601 }, /at most 3600, found 3601/],
  [{ command: "profile", kind: "cpu", seconds: "1" }, /found "1"/],
  [{ command: "x".repeat(5000) }, /^unknown command "x{100}"; there are status/],
])("%j is refused", async (message, error) => {
  const { called, commands } = commandsOf();
  expect(await answerTo(message, commands, () => undefined)).toMatchObject({ ok: false, error: expect.stringMatching(error) as string });
  expect(called).toEqual([]);
});

test.each([
  [{ kind: "cpu" }, { kind: "cpu", ms: 10_000, heapsFree: 3 }],
  [
    { kind: "heap", worker: 2, seconds: 0.25, by: "joe" },
    { kind: "heap", worker: 2, ms: 250, heapsFree: 3 },
  ],
  [
    { kind: "snapshot", force: true },
    { kind: "snapshot", ms: 10_000, heapsFree: 0 },
  ],
])("a profile %j is ordered as %j", async (message, expected) => {
  const { called, commands } = commandsOf();
  expect(await answerTo({ command: "profile", ...message }, commands, () => undefined)).toMatchObject({ ok: true });
  expect(called.map((each) => JSON.parse(each) as unknown)).toEqual([expected]);
});

test("a connection is handed over where that is asked for, and only then", () => {
  const { called, commands } = commandsOf();
  const socket = new Socket();
  expect(handOver({ command: "status" }, commands, socket)).toBe("not asked");
  expect(handOver({ command: "repl", worker: 1, columns: 80 }, commands, socket)).toBe("done");
  expect(handOver({ command: "repl", columns: "wide" }, commands, socket)).toBe("done");
  expect(handOver({ command: "repl", worker: 9 }, commands, socket)).toEqual({ error: "there is no worker 9" });
  expect(handOver({ command: "repl", worker: "x" }, commands, socket)).toEqual({ error: 'expected the number of a worker, found "x"' });
  expect(called).toEqual(["repl 1", "repl undefined"]);
});

test("an ACK has no answer, and one without a number means nothing; what is no command is told", async () => {
  const { called, commands } = commandsOf();
  expect(await answerTo({ command: "worker:ack", pid: 7 }, commands, () => undefined)).toBe(undefined);
  expect(await answerTo({ command: "worker:ack", pid: "7" }, commands, () => undefined)).toBe(undefined);
  expect(called).toEqual(["acknowledge 7"]);
  for (const message of [{}, { command: 7 }, { command: null }]) {
    expect(await answerTo(message, commands, () => called.push("strange"))).toMatchObject({ ok: false });
  }
  expect(called.filter((each) => each === "strange")).toHaveLength(3);
});

test.each([
  ["status", (): never => raise("the figures can't be read")],
  ["upgrade", () => Promise.reject(new Error("the figures can't be read"))],
  ["reopen", (): never => raise("the figures can't be read")],
])("%s that throws is an answer, and nothing else", async (command, thrown) => {
  const { commands } = commandsOf();
  expect(await answerTo({ command }, { ...commands, [command]: thrown }, () => undefined)).toEqual({
    ok: false,
    error: "the figures can't be read",
  });
});

function raise(message: string): never {
  throw new Error(message);
}
