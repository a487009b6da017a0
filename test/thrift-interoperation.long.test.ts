import { spawn } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Server } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, openRaw, spawnTsserve } from "@tsserve/testing";
import { ApplicationError } from "tsserve/thrift";
import { describe, expect, test } from "vitest";
import { generate, missingForPython, python, pythonScript } from "./support/python.ts";
import { apps, bench, benchClient, forms, generated, payload, serveThrift } from "./support/thrift.ts";

const require = createRequire(import.meta.url);

/** What these tests use of Apache's library for Node. */
interface Apache {
  createConnection(host: string, port: number, options: object): { end(): void; on(event: string, listener: (error: Error) => void): void };
  createClient(service: unknown, connection: unknown): Record<string, (...values: unknown[]) => Promise<unknown>>;
  createServer(service: unknown, handler: object, options: object): Server;
  readonly [protocolOrTransport: string]: unknown;
}
const apache = require("thrift") as Apache;
const Bench = require(`${generated}Bench.js`) as object;
const { Payload, Item, BenchError } = require(`${generated}bench_types.js`) as Record<string, new (fields?: object) => object>;

const apacheForms = ["TFramedTransport", "TBufferedTransport"].flatMap((transport) =>
  ["TBinaryProtocol", "TCompactProtocol"].map((protocol) => [transport, protocol] as const),
);

describe.each(apps)("%s", (app) => {
  test.skipIf(missingForPython !== undefined)("answers Apache's Python client: THeader, packed or not, framed, unframed", async () => {
    await using server = serveThrift({ app });
    const { port } = new URL(`http://${await server.endpoint()}`);
    using types = generate("py");
    const child = spawn(python, [pythonScript("client.py"), port, types.path]);
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
    const code = await new Promise((resolve) => child.once("exit", resolve));
    expect(output.match(/^ok: .*$/gm), output).toHaveLength(12);
    expect(code).toBe(0);
  });

  test("answers Apache's Node client: framed, unframed, binary, compact", async () => {
    await using server = serveThrift({ app });
    const { port } = new URL(`http://${await server.endpoint()}`);
    for (const [transport, protocol] of apacheForms) {
      const connection = apache.createConnection("127.0.0.1", Number(port), { transport: apache[transport], protocol: apache[protocol] });
      const client = apache.createClient(Bench, connection);
      const call = (name: string, ...values: unknown[]): Promise<unknown> | undefined => client[name]?.(...values);
      await call("ping");
      const sent = new (Payload as NonNullable<typeof Payload>)({
        id: 7,
        title: "é😀",
        ratio: -0.5,
        flag: true,
        blob: Buffer.from([1, 2]),
        tags: ["a", ""],
        items: [new (Item as NonNullable<typeof Item>)({ id: 1, name: "n" })],
        colour: 2,
      });
      expect(await call("echo", sent)).toMatchObject({
        id: 7,
        title: "é😀",
        ratio: -0.5,
        flag: true,
        tags: ["a", ""],
        items: [{ id: 1, name: "n" }],
        colour: 2,
      });
      await expect(call("fail", 1)).rejects.toMatchObject({ code: 404, message: "declared" });
      await expect(call("fail", 2)).rejects.toMatchObject({ message: "Internal error" });
      // Pipelined: it matches the answers by their sequence ids.
      await expect(Promise.all([call("add_later", 1, 1, 60), call("add_later", 2, 2, 1), call("add_later", 3, 3, 20)])).resolves.toEqual([
        2, 4, 6,
      ]);
      await call("note", "from Node");
      await expect(call("is_healthy")).resolves.toBe(true);
      connection.end();
    }
  });
});

test.skipIf(missingForPython !== undefined)("code of every style of the Apache compiler is served", async () => {
  for (const style of ["js:node", "js:node,ts", "js:node,es6", "js:node,ts,es6"]) {
    using folder = generate(style);
    const app = `const Bench = require("./Bench.js");
const { BenchError } = require("./bench_types.js");
exports.makeApp = () => ({ service: Bench, handler: {
  ping() {}, echo: async (p) => p, add_later: (a, b, delay, done) => setTimeout(() => done(null, a + b), delay), note() {},
  fail(how) { if (how === 1) throw new BenchError({ code: 404, message: "declared" }); if (how === 2) throw new Error("no"); return "fine"; },
} });`;
    writeFileSync(join(folder.path, "app.cjs"), app);
    // Where Apache's library is found from.
    symlinkSync(fileURLToPath(new URL("../node_modules", import.meta.url)), join(folder.path, "node_modules"));
    writeFileSync(join(folder.path, "app.ini"), "[server:main]\nfactory = tsserve/thrift\n[app:main]\nfactory = ./app.cjs\n");
    await using server = spawnTsserve({ args: ["app.ini", "--bind", "127.0.0.1:0"], cwd: folder.path });
    const endpoint = (await server.listening()).replace("thrift://", "");
    for (const form of forms) await exercise(endpoint, form, false);
  }
});

describe("our client", () => {
  test.skipIf(missingForPython !== undefined)("understands Apache's Python server", async () => {
    using types = generate("py");
    const port = await freePort();
    const server = spawn(python, [pythonScript("server.py"), String(port), types.path], { stdio: ["ignore", "ignore", "inherit"] });
    try {
      await accepting(port);
      for (const form of forms) await exercise(`127.0.0.1:${port}`, form);
    } finally {
      server.kill("SIGKILL");
    }
  });

  test("understands Apache's Node server", async () => {
    const handler = {
      is_healthy: () => true,
      ping: () => undefined,
      echo: (sent: unknown, done: (error: null, value: unknown) => void) => done(null, sent),
      fail: (how: number, done: (error: unknown, value?: string) => void) =>
        how === 7
          ? done(null, "fine")
          : done(
              how === 1 ? new (BenchError as NonNullable<typeof BenchError>)({ code: 404, message: "declared" }) : new Error("undeclared"),
            ),
      add_later: (a: number, b: number, delay: number, done: (error: null, sum: number) => void) =>
        setTimeout(() => done(null, a + b), delay),
      note: () => undefined,
    };
    for (const [transport, protocol] of apacheForms) {
      const port = await freePort();
      const server = apache
        .createServer(Bench, handler, { transport: apache[transport], protocol: apache[protocol] })
        .listen(port, "127.0.0.1");
      await accepting(port);
      await exercise(
        `127.0.0.1:${port}`,
        `${transport === "TFramedTransport" ? "framed" : "unframed"} ${protocol === "TBinaryProtocol" ? "binary" : "compact"}`,
        false,
      );
      server.close();
    }
  });
});

async function exercise(endpoint: string, form: (typeof forms)[number], isWhole = true): Promise<void> {
  using client = benchClient(endpoint, { form, size: 1 });
  await client.call("ping", []);
  for (const items of [0, 20, 3000]) {
    const sent = payload(items);
    if (!isWhole) (sent["counters"] as Map<string, bigint>).delete("__proto__");
    expect(await client.call("echo", [sent]), form).toEqual(sent);
  }
  const { BenchError: Declared } = bench.exceptions;
  await expect(client.call("fail", [1])).rejects.toThrow(Declared);
  await expect(client.call("fail", [2])).rejects.toThrow(ApplicationError);
  await client.call("note", ["from tsserve"]);
  await expect(client.call("fail", [7])).resolves.toBe("fine");
  await expect(client.call("add_later", [1, 2, 10])).resolves.toBe(3);
}

async function accepting(port: number): Promise<void> {
  for (;;) {
    using raw = await openRaw(`http://127.0.0.1:${port}`);
    if (!raw.isClosed) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test("the Python tests run where CI runs", () => {
  expect(process.env["CI"] === undefined || missingForPython === undefined, `${missingForPython}`).toBe(true);
});
