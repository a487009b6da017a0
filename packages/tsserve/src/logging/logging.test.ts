import { assert, dictionary, jsonValue, property, string } from "fast-check";
import { describe, expect, test } from "vitest";
import { boundLine, longestLineBytes } from "./bound-line.ts";
import { LogOutput } from "./log-output.ts";
import { prettyLine } from "./pretty-line.ts";
import { errorFields, requestFields, withoutMessages } from "./serializers.ts";

// oxlint-disable-next-line no-control-regex -- that is what is looked for
const controls = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]/;

const line = (fields: object): string =>
  `${JSON.stringify({ time: "2026-11-26T00:00:00.000Z", level: "info", logger: "app", ...fields })}\n`;

describe("a line", () => {
  const deep = (depth: number): object => (depth === 0 ? { end: "x".repeat(100) } : { a: deep(depth - 1), b: deep(depth - 1) });
  const long: readonly (readonly [string, object])[] = [
    ["a long message", { msg: "x".repeat(1_000_000) }],
    ["a long message of many bytes", { msg: "\u20ac".repeat(100_000) }],
    ["controls, which are longer escaped", { msg: "\u009b".repeat(15_000) }],
    ["many fields", { msg: "m", ...Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`key${n}`, "x".repeat(50)])) }],
    ["long names", { msg: "m", ["k".repeat(100_000)]: 1 }],
    ["a deep object", { msg: "m", deep: deep(12) }],
    ["a long list", { msg: "m", list: Array.from({ length: 10_000 }, (_, n) => ({ n })) }],
    [
      "causes of causes",
      {
        msg: "m",
        err: {
          type: "Error",
          message: "m",
          stack: "s".repeat(9000),
          cause: { stack: "s".repeat(9000), cause: { stack: "s".repeat(90_000) } },
        },
      },
    ],
  ];
  test.each(long)("has 16 kB at most: %s", (_, fields) => {
    const bounded = boundLine(line(fields));
    expect(Buffer.byteLength(bounded)).toBeLessThanOrEqual(longestLineBytes);
    expect(bounded.indexOf("\n")).toBe(bounded.length - 1);
    expect(JSON.parse(bounded)).toMatchObject({
      level: "info",
      logger: "app",
      msg: expect.any(String),
      cut_from_bytes: expect.any(Number),
    });
    expect(Buffer.byteLength(prettyLine(bounded, false))).toBeLessThanOrEqual(2 * longestLineBytes);
  });

  test("says the same as was logged, without control characters, whatever that is", () => {
    assert(
      property(string({ unit: "binary", maxLength: 200 }), dictionary(string({ unit: "binary" }), jsonValue()), (msg, fields) => {
        const written = line({ ...fields, msg });
        const bounded = boundLine(written);
        expect(controls.test(bounded)).toBe(false);
        expect(JSON.parse(bounded)).toEqual(JSON.parse(written));
        for (const colored of [true, false]) {
          const pretty = prettyLine(bounded, colored);
          expect(controls.test(pretty.replaceAll(/\u001b\[\d*m/g, ""))).toBe(false);
          // What goes on below the line is indented: nothing looks like a line of its own.
          for (const more of pretty.trimEnd().split("\n").slice(1)) expect(more).toMatch(/^ {4}/);
        }
      }),
    );
  });
});

describe("for people", () => {
  const at = expect.stringMatching(/^\[\d\d:\d\d:\d\d\.\d{3}\] /) as unknown;
  const pretty = (fields: object): string => {
    const text = prettyLine(line(fields), false);
    expect(text).toEqual(at);
    return text.slice("[00:00:00.000] ".length);
  };

  test("a request is one short line", () => {
    const request = {
      logger: "tsserve.access",
      method: "GET",
      route: "/boom",
      path: "/boom",
      status: 500,
      duration_ms: 24.6,
      req_id: "1",
      client: "::1",
      msg: "request completed",
    };
    expect(pretty(request)).toBe("INFO  GET /boom 500 25 ms\n");
    expect(pretty({ ...request, status: undefined, aborted: true })).toBe("INFO  GET /boom aborted 25 ms\n");
    expect(pretty({ ...request, path: "/a\u001b]0;x\u0007\nGET /forged 200" })).toBe(
      "INFO  GET /a\\u001b]0;x\\u0007\\nGET /forged 200 500 25 ms\n",
    );
  });

  test("no text stands there twice", () => {
    expect(pretty({ logger: "tsserve", addresses: ["http://[::1]:9090"], ms: 12, msg: "listening on http://[::1]:9090" })).toBe(
      "INFO  tsserve: listening on http://[::1]:9090 ms=12\n",
    );
    const err = { type: "TypeError", message: "it broke", stack: "TypeError: it broke\n    at f (/a.js:1:2)\n    at g (/a.js:3:4)" };
    expect(pretty({ level: "error", err, msg: "it broke" })).toBe(
      "ERROR app: TypeError: it broke\n    at f (/a.js:1:2)\n    at g (/a.js:3:4)\n",
    );
    expect(pretty({ level: "error", err, msg: "a request failed" })).toBe(
      "ERROR app: a request failed\n    TypeError: it broke\n    at f (/a.js:1:2)\n    at g (/a.js:3:4)\n",
    );
  });
});

describe("what is no text", () => {
  const secret = "hunter2";
  const headers = { authorization: secret, cookie: secret };

  test("requests and answers are method, url, host, client, status", () => {
    const raw = {
      method: "GET",
      url: `/a?token=${secret}&q=1`,
      headers: { host: "example.org", ...headers },
      socket: { remoteAddress: "::1", remotePort: 1 },
    };
    for (const request of [raw, { ...raw, raw }, new Proxy(raw, {})]) {
      expect(requestFields(request)).toEqual({
        method: "GET",
        url: "/a?token=****&q=1",
        host: "example.org",
        remoteAddress: "::1",
        remotePort: 1,
      });
    }
    const logged = withoutMessages({
      request: raw,
      ctx: { req: raw, res: {} },
      reply: { getHeader: () => secret, statusCode: 200 },
      plain: { a: 1 },
    });
    expect(JSON.stringify(logged)).not.toContain(secret);
    expect(logged["plain"]).toEqual({ a: 1 });
  });

  const refuse = (): never => {
    throw new Error("not to be looked at");
  };
  const throwing = (name: string): object => Object.defineProperty({}, name, { get: refuse, enumerable: true });

  test.each<[string, object]>([
    ["of its own", throwing("field")],
    ["of a thing it holds", { details: throwing("field") }],
    ["of its class's name", { constructor: throwing("name") }],
    ["of its stack", throwing("stack")],
    ["of one of its causes", { cause: Object.assign(new Error("below"), { details: throwing("field") }) }],
  ])("an error with a getter that throws %s says the rest", (_, odd) => {
    const error = Object.defineProperties(new Error("it broke"), Object.getOwnPropertyDescriptors(odd));
    expect(errorFields(Object.assign(error, { code: "E_BROKEN" }))).toMatchObject({
      type: "Error",
      message: "it broke",
      stack: expect.stringMatching(/^Error: it broke/),
      code: "E_BROKEN",
    });
  });

  test("errors that are causes of one another are told once each", () => {
    const error = Object.assign(new Error("one"), { code: "E_ONE" });
    const other = Object.assign(new Error("other"), { cause: error, errors: [error, error, error, error, error] });
    const text = JSON.stringify(errorFields(Object.assign(error, { cause: other, errors: [other, error] })));
    expect(text.match(/"message":"one"/g)).toHaveLength(1);
    expect(text.match(/"message":"other"/g)).toHaveLength(1);
  });

  test("errors keep what they say, without the messages that they carry", () => {
    const error = Object.assign(new RangeError("it broke"), {
      code: "E_BROKEN",
      statusCode: 502,
      details: { field: "name", headers },
      config: { headers },
      request: { headers },
      response: { data: secret },
      password: secret,
      cause: Object.assign(new Error("below"), { rawHeaders: [secret] }),
    });
    const fields = errorFields(error);
    expect(fields).toMatchObject({
      type: "RangeError",
      message: "it broke",
      code: "E_BROKEN",
      statusCode: 502,
      details: { field: "name" },
      cause: { message: "below" },
    });
    expect(JSON.stringify(fields)).not.toContain(secret);
  });
});

describe("the output", () => {
  /** A pipe or a disk with so much room, or an error of the system. */
  function rig(isFile = false) {
    let written = "";
    let room = Number.POSITIVE_INFINITY;
    let failure = "EAGAIN";
    let now = 0;
    let retries: (() => void)[] = [];
    let ends: (() => void)[] = [];
    const pieces: number[] = [];
    const output = new LogOutput(
      {
        write: (bytes) => {
          if (room === 0) throw Object.assign(new Error(failure), { code: failure });
          const taken = Math.min(room, bytes.length);
          pieces.push(taken);
          room -= taken;
          written += bytes.toString("utf8", 0, taken);
          return taken;
        },
        isTorn: () => (isFile ? written !== "" && !written.endsWith("\n") : undefined),
        pause: (ms) => (now += ms),
        now: () => now,
        later: (_ms, callback) => retries.push(callback),
        soon: (callback) => ends.push(callback),
      },
      (lost, reason) => `lost ${lost} ${reason}\n`,
    );
    return {
      output,
      written: () => written,
      /** What another process appends. */
      append: (text: string) => (written += text),
      pieces,
      endTurn: () => {
        const due = ends;
        ends = [];
        for (const each of due) each();
      },
      fill: (bytes: number, code = "EAGAIN") => ([room, failure] = [bytes, code]),
      turn: () => {
        now += 1000;
        const due = retries;
        retries = [];
        for (const each of due) each();
      },
    };
  }

  test.each(["ENOSPC", "EIO", "EDQUOT", "EPIPE", "EBADF"])("%s costs lines, in whole, and tells how many", (code) => {
    const { output, written, fill, turn } = rig();
    output.write("one\n");
    fill(2, code);
    output.write("two\n");
    for (const text of ["three\n", "four\n"]) output.write(text);
    turn();
    expect(written()).toBe("one\ntw");
    fill(Number.POSITIVE_INFINITY);
    turn();
    output.write("five\n");
    expect(written()).toBe(`one\ntwo\nlost 2 ${code}\nfive\n`);
  });

  describe("of a file that several processes append to", () => {
    const everything = Number.POSITIVE_INFINITY;

    test("begins at the beginning of a line, whatever a process before has left", () => {
      for (const left of ["", "whole\n", "half of a li"]) {
        const { output, written, append } = rig(true);
        append(left);
        output.write("one\n");
        append("other\n");
        output.write("two\n");
        expect(written()).toBe(`${left}${left === "half of a li" ? "\n" : ""}one\nother\ntwo\n`);
      }
    });

    test.each([
      // What others write while the disk is full, or as soon as it is not.
      ["", "one\ntwo\nlost 1 ENOSPC\nfive\n"],
      ["\nother\n", "one\ntw\nother\nlost 2 ENOSPC\nfive\n"],
      ["other\n", "one\ntwother\nlost 2 ENOSPC\nfive\n"],
    ])("goes on with a line that was begun, unless somebody has written behind it: %j", (others, expected) => {
      const { output, written, append, fill, turn } = rig(true);
      output.write("one\n");
      fill(2, "ENOSPC");
      output.write("two\n");
      output.write("three\n");
      turn();
      append(others);
      fill(everything);
      turn();
      output.write("five\n");
      expect(written()).toBe(expected);
    });

    test("where another one's line is torn while nothing can be written, its own begin behind it, and are counted right", () => {
      for (let room = 0; room < 4; room++) {
        const { output, written, append, fill, turn } = rig(true);
        output.write("one\n");
        append("tor");
        fill(0, "ENOSPC");
        for (const each of ["two\n", "three\n"]) output.write(each);
        // There is room for a few bytes, and then for all.
        fill(room, "ENOSPC");
        turn();
        fill(everything);
        turn();
        output.write("five\n");
        const lines = written().split("\n");
        expect([lines[0], lines[1], lines.at(-2)]).toEqual(["one", "tor", "five"]);
        expect(lines.filter((each) => /^lost \d+ ENOSPC$/.test(each))).toEqual(["lost 2 ENOSPC"]);
      }
    });
  });

  test("a reader that does not keep up gets all that fits, and is told of the rest", () => {
    const { output, written, fill, turn } = rig();
    fill(0);
    const each = `${"x".repeat(1023)}\n`;
    for (let n = 0; n < 5000; n++) output.write(each);
    fill(Number.POSITIVE_INFINITY);
    turn();
    output.write("last\n");
    const lines = written().trimEnd().split("\n");
    expect(lines.at(-1)).toBe("last");
    const told = /^lost (\d+) /.exec(lines.at(-2) ?? "")?.[1];
    expect(lines.length - 2 + Number(told)).toBe(5000);
    expect(lines.length).toBeGreaterThan(4000);
  });

  test("lines of a turn are written together, in whole pieces, and in the order of all lines", () => {
    const { output, written, pieces, endTurn } = rig();
    const lines = Array.from({ length: 60 }, (_, n) => `${n} ${"ü".repeat(n % 2)}${"x".repeat(300)}\n`);
    for (const each of lines.slice(0, 30)) output.writeSoon(each);
    output.write("between\n");
    for (const each of lines.slice(30)) output.writeSoon(each);
    endTurn();
    expect(written()).toBe([...lines.slice(0, 30), "between\n", ...lines.slice(30)].join(""));
    expect(pieces.length).toBeLessThan(12);
    expect(Math.max(...pieces)).toBeLessThanOrEqual(4096);
    output.writeSoon("alone\n");
    expect(written()).not.toContain("alone");
    endTurn();
    expect(written()).toMatch(/\nalone\n$/);
    output.writeSoon("last\n");
    output.end();
    expect(written()).toMatch(/\nalone\nlast\n$/);
  });

  test.each(["EAGAIN", "ENOSPC"])("lines of a turn that the reader does not take (%s) wait, or are counted, as others", (code) => {
    const each = `${"y".repeat(99)}\n`;
    for (let room = 0; room < 2500; room += 83) {
      const { output, written, fill, turn, endTurn } = rig();
      fill(room, code);
      for (let n = 0; n < 100; n++) output.writeSoon(each);
      endTurn();
      for (let n = 0; n < 10; n++) output.writeSoon(each);
      endTurn();
      fill(Number.POSITIVE_INFINITY);
      turn();
      output.write("last\n");
      const found = written().trimEnd().split("\n");
      const lost = found.reduce((sum, one) => sum + Number(/^lost (\d+) /.exec(one)?.[1] ?? 0), 0);
      const whole = found.filter((one) => one === each.trimEnd()).length;
      expect([room, whole + lost, found.at(-1)]).toEqual([room, 110, "last"]);
      if (code === "EAGAIN") expect(lost).toBe(0);
    }
  });

  test("at the end everything is written to a reader that is still there, and nobody waits for ever for one that is not", () => {
    const { output, written, fill } = rig();
    fill(1);
    output.write("one\n");
    output.write("two\n");
    fill(7);
    output.end();
    expect(written()).toBe("one\ntwo\n");
    fill(0);
    output.write("three\n");
    output.end();
    expect(written()).toBe("one\ntwo\n");
  });
});
