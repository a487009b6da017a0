import { duplexPair, type Duplex } from "node:stream";
import { afterEach, expect, test } from "vitest";
import { endOfSession, startReplSession, type ReplSession, type ReplSessionOptions } from "./repl-session.ts";

const open: ReplSession[] = [];
afterEach(() => {
  for (const session of open.splice(0)) session.end("the test is over");
});

interface Talk {
  readonly session: ReplSession;
  readonly client: Duplex;
  readonly lines: string[];
  readonly ends: () => number;
  /** Waits until what was said has this in it; gives all, and forgets it. */
  said(part: string | RegExp): Promise<string>;
}

function talk(given: Partial<ReplSessionOptions> = {}): Talk {
  const [server, client] = duplexPair();
  const lines: string[] = [];
  let ends = 0;
  let text = "";
  client.setEncoding("utf8").on("data", (part: string) => (text += part));
  const session = startReplSession(server, {
    variables: { app: { name: "mine" }, config: { greeting: "hello" } },
    columns: 0,
    idleMs: 60_000,
    onLine: (line) => lines.push(line),
    onEnd: () => (ends += 1),
    ...given,
  });
  open.push(session);
  const said = async (part: string | RegExp): Promise<string> => {
    await expect.poll(() => text, { timeout: 20_000 }).toMatch(part);
    const all = text;
    text = "";
    return all;
  };
  return { session, client, lines, ends: () => ends, said };
}

test("what there is to talk about is there, and each line is told before it runs", async () => {
  const { client, said, lines } = talk();
  client.write("app.name\nconfig.greeting\n");
  expect(await said(/'hello'\n$/)).toBe("'mine'\n'hello'\n");
  expect(lines).toEqual(["app.name", "config.greeting"]);
});

test("several lines are one expression; what is declared stays, and is not the process's", async () => {
  const { client, said } = talk();
  client.write("const twice = (n) => {\n  return n * 2;\n};\ntwice(21)\nleft = 7\n");
  expect(await said(/7\n$/)).toMatch(/42\n7\n$/);
  expect(globalThis).not.toHaveProperty("left");
});

test.each([
  ['throw new Error("at once")', /Uncaught Error: at once/],
  ['await Promise.reject(new Error("awaited"))', /Uncaught Error: awaited/],
  ["nobody", /Uncaught ReferenceError: nobody is not defined/],
  ["}", /SyntaxError/],
])("%s is told, and the next line runs", async (line, told) => {
  const { client, said } = talk();
  client.write(`${line}\n`);
  await said(told);
  client.write("6 * 7\n");
  expect(await said("42")).toContain("42");
});

test("Ctrl-C gives up what is waited for, with all variables, and what was half written", async () => {
  const { client, said, lines } = talk();
  client.write("let kept = 5\nawait new Promise(() => {})\n");
  await expect.poll(() => lines.length).toBe(2);
  client.write("\u0003");
  await said("no longer waited for");
  client.write("kept + 1\n((1 +\n\u0003");
  await said(/6\n/);
  client.write("kept + 2\n");
  expect(await said(/7\n/)).not.toMatch(/Error/);
});

test("the end of what comes is its end, once all is answered", async () => {
  const { client, said, ends } = talk();
  client.end("await new Promise((resolve) => setTimeout(resolve, 50, 'late'))\n");
  expect(await said(endOfSession)).toBe(`'late'\n${endOfSession}`);
  expect(ends()).toBe(1);
});

test(".exit ends it, and so does its owner, with the reason", async () => {
  const first = talk();
  first.client.write(".exit\n");
  expect(await first.said(endOfSession)).toBe(endOfSession);
  const { session, said, ends } = talk();
  session.end("worker 0 leaves");
  session.end("twice");
  expect(await said(endOfSession)).toBe(`\nworker 0 leaves\n${endOfSession}`);
  expect(ends()).toBe(1);
});

test("whoever says nothing is let go", async () => {
  const { client, said, ends } = talk({ idleMs: 300 });
  client.write("1 + 1\n");
  expect(await said(endOfSession)).toBe(`2\n\n0 minutes without a line: the REPL ends\n${endOfSession}`);
  expect(ends()).toBe(1);
});

test("whoever has gone is gone, in the middle of something or not", async () => {
  const { client, lines, ends } = talk();
  client.write("await new Promise(() => {})\n");
  await expect.poll(() => lines.length).toBe(1);
  client.destroy();
  // The other end of a pair is told by its owner, as a socket is by the kernel.
  open.at(-1)?.end("");
  await expect.poll(ends).toBe(1);
});

test("on a terminal there is a prompt, the line is edited, and words are completed", async () => {
  const { client, said } = talk({ columns: 80 });
  await said("> ");
  client.write("config.greexx\u007f\u007f\t");
  await said("ting");
  client.write("\r");
  expect(await said("'hello'")).toContain("'hello'");
  client.write("\u0004");
  await said(endOfSession);
});
