import { openRaw, until } from "@tsserve/testing";
import { ApplicationError, TransportError } from "tsserve/thrift";
import { describe, expect, test } from "vitest";
import { addLater, apps, bench, benchClient, forms, framed, message, onewayType, payload, serveThrift } from "./support/thrift.ts";

const { BenchError } = bench.exceptions as { BenchError: NonNullable<(typeof bench.exceptions)[string]> };

describe.each(apps)("%s", (app) => {
  test("answers every form of client, with everything the IDL has", async () => {
    await using server = serveThrift({ app });
    const endpoint = await server.endpoint();
    for (const form of forms) {
      using client = benchClient(endpoint, { form });
      await expect(client.call("ping", [])).resolves.toBe(undefined);
      for (const items of [0, 20, 3000]) {
        const sent = payload(items);
        const got = (await client.call("echo", [sent])) as Record<string, unknown>;
        // Objects of generated code can't have a key of this name.
        if (app === "thrift-generated.js") (sent["counters"] as Map<string, bigint>).delete("__proto__");
        expect(got, form).toEqual(sent);
      }
      await expect(client.call("fail", [1])).rejects.toThrow(BenchError);
      await expect(client.call("fail", [1])).rejects.toMatchObject({ code: 404, message: "declared" });
      await expect(client.call("fail", [7])).resolves.toBe("fine");
      await expect(client.call("add_later", [40, 2, 20])).resolves.toBe(42);
      await expect(client.call("note", [form])).resolves.toBe(undefined);
      await until("the note", () => server.stdout().includes(`note: ${form}`));
      await expect(client.call("is_healthy", [])).resolves.toBe(true);
    }
  });

  test("what a handler did not declare is told as an internal error, and only the log says more", async () => {
    await using server = serveThrift({ app });
    using client = benchClient(await server.endpoint());
    for (const how of [2, 3, 4]) {
      await expect(client.call("fail", [how])).rejects.toEqual(new ApplicationError(6, "Internal error"));
    }
    await expect(client.call("fail", [7])).resolves.toBe("fine");
    const told = (): Readonly<Record<string, unknown>>[] => server.logs().filter(({ msg }) => msg === "the handler failed");
    const errors = await until("all to be told", () => (told().length >= 3 ? told() : undefined));
    expect(errors).toHaveLength(3);
    expect(errors[0]).toMatchObject({ method: "fail", level: "error", err: { message: "a secret of the handler" } });
    expect(JSON.stringify(errors[0])).toContain("thrift-handler.js");
  });

  test("a one-way call that fails is logged, and nobody else notices", async () => {
    await using server = serveThrift({ app });
    using client = benchClient(await server.endpoint());
    await client.call("note", ["fail"]);
    await server.log(/the handler failed/);
    await expect(client.call("fail", [7])).resolves.toBe("fine");
  });

  test("the context has the headers of this request only, the trace, the deadline and the client", async () => {
    await using server = serveThrift({ app });
    using client = benchClient(await server.endpoint(), { userAgent: "a-caller", size: 1 });
    const headers = { Trace: "1234567890123456789", Parent: "77", Sampled: "1", Flags: "0", "Edge-Request": "\u0000\u00ff" };
    const first = JSON.parse((await client.call("fail", [5], { headers, timeoutMs: 60_000 })) as string) as Record<string, unknown>;
    expect(first).toMatchObject({
      method: "fail",
      client: "127.0.0.1",
      trace: { traceId: "1234567890123456789", parentId: "77", sampled: true, flags: "0" },
      edge: "00ff",
    });
    expect(first["remainingMs"]).toBeGreaterThan(30_000);
    expect(first["remainingMs"]).toBeLessThanOrEqual(60_000);
    const second = JSON.parse((await client.call("fail", [5])) as string) as {
      headers: [string, string][];
      trace: Record<string, unknown>;
    };
    expect(second.headers).toEqual([
      ["Deadline-Budget", "30000"],
      ["User-Agent", "a-caller"],
    ]);
    expect(second.trace).not.toMatchObject({ traceId: "1234567890123456789" });
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const third = JSON.parse((await client.call("fail", [5], { headers: { traceparent } })) as string) as Record<string, unknown>;
    expect(third["trace"]).toMatchObject({ traceId: "0af7651916cd43dd8448eb211c80319c", parentId: "b7ad6b7169203331", sampled: true });
    const bad = JSON.parse((await client.call("fail", [5], { headers: { ...headers, Flags: "-1" } })) as string) as {
      trace: { traceId: string };
    };
    expect(bad.trace.traceId).not.toBe("1234567890123456789");
  });

  test("headers that can't be sent do no harm", async () => {
    await using server = serveThrift({ app });
    using client = benchClient(await server.endpoint());
    await expect(client.call("fail", [8])).resolves.toBe("fine");
    await expect(client.call("fail", [9])).resolves.toBe("fine");
    await server.log(/the headers of the answer are too long/);
  });

  test("when the caller's budget is used up the handler is told, and what it says later is dropped", async () => {
    await using server = serveThrift({ app });
    using client = benchClient(await server.endpoint(), { maxPipelined: 4, size: 1 });
    // The client itself waits for longer.
    const call = client.call("fail", [6], { headers: { "Deadline-Budget": "100" } });
    await expect(call).rejects.toEqual(new ApplicationError(6, "Deadline exceeded"));
    await until("the handler to be told", () => server.stdout().includes("aborted: Deadline exceeded"));
    expect(await server.log(/from the handler/)).toHaveProperty("trace_id");
    await expect(client.call("fail", [7])).resolves.toBe("fine");
  });

  test("a client that goes away aborts what it has asked for", async () => {
    await using server = serveThrift({ app });
    const client = benchClient(await server.endpoint());
    const call = client.call("fail", [6]);
    await server.log(/from the handler/);
    client.close();
    await expect(call).rejects.toThrow(TransportError);
    await until("the handler to be told", () => server.stdout().includes("aborted: the client has closed the connection"));
  });
});

test("pipelined requests run side by side, and are answered in their order", async () => {
  await using server = serveThrift();
  const endpoint = await server.endpoint();
  for (const protocol of ["binary", "compact"] as const) {
    for (const wrap of [framed, (bytes: Buffer) => bytes]) {
      using raw = await openRaw(`http://${endpoint}`);
      const delays = [120, 0, 60, 1, 0, 30];
      raw.send(
        Buffer.concat(
          delays.map((delay, index) => wrap(message(protocol, "add_later", addLater(index, 100, delay), { sequenceId: index + 1 }))),
        ),
      );
      const one = wrap(Buffer.alloc(0)).length + answerOf(protocol, 0, 0).length;
      await until("all answers", () => raw.received().length >= one * delays.length);
      const expected = Buffer.concat(delays.map((_, index) => wrap(answerOf(protocol, index + 1, index + 100))));
      expect(Buffer.from(raw.received(), "latin1").toString("hex")).toBe(expected.toString("hex"));
    }
  }
});

/** The answer of `add_later`, by hand. */
function answerOf(protocol: "binary" | "compact", sequenceId: number, sum: number): Buffer {
  const name = Buffer.from("add_later");
  if (protocol === "compact") {
    const zigzag = sum * 2;
    const varint = zigzag < 128 ? [zigzag] : [(zigzag & 0x7f) | 0x80, zigzag >> 7];
    // At least as long as the longest that is expected.
    return Buffer.from([0x82, 0x41, sequenceId, name.length, ...name, 0x05, 0x00, ...(sum === 0 ? [0x80, 0x01] : varint), 0]);
  }
  const bytes = Buffer.alloc(8 + name.length + 4 + 3 + 4 + 1);
  bytes.writeUInt32BE(0x8001_0002, 0);
  bytes.writeUInt32BE(name.length, 4);
  name.copy(bytes, 8);
  bytes.writeUInt32BE(sequenceId, 8 + name.length);
  bytes[12 + name.length] = 8;
  bytes.writeInt32BE(sum, 15 + name.length);
  return bytes;
}

test("a message may come in any number of pieces", async () => {
  await using server = serveThrift();
  const endpoint = await server.endpoint();
  for (const protocol of ["binary", "compact"] as const) {
    for (const wrap of [framed, (bytes: Buffer) => bytes]) {
      using raw = await openRaw(`http://${endpoint}`);
      raw.socket.setNoDelay(true);
      const request = wrap(message(protocol, "add_later", addLater(1, 200, 0), { sequenceId: 5 }));
      for (const byte of request) {
        raw.send(Buffer.from([byte]));
        await new Promise((resolve) => setImmediate(resolve));
      }
      const expected = wrap(answerOf(protocol, 5, 201)).toString("latin1");
      await until("the answer", () => raw.received().length >= expected.length);
      expect(raw.received()).toBe(expected);
    }
  }
});

test("large messages pass both ways, framed and not, in pieces of the network's choice", async () => {
  await using server = serveThrift();
  const endpoint = await server.endpoint();
  for (const form of forms) {
    using client = benchClient(endpoint, { form });
    const sent = payload(20_000, 100_000);
    expect(await client.call("echo", [sent])).toEqual(sent);
  }
});

test("what the server does not know, or can't read, is told, and the connection goes on", async () => {
  await using server = serveThrift();
  using raw = await openRaw(`http://${await server.endpoint()}`);
  const exception = (name: string, sequenceId: number, text: string, type: number): string => {
    const write = (output: { [method: string]: (...values: unknown[]) => unknown }): void => {
      output["writeFieldBegin"]?.("", 11, 1);
      output["writeString"]?.(text);
      output["writeFieldBegin"]?.("", 8, 2);
      output["writeI32"]?.(type);
      output["writeFieldStop"]?.();
    };
    return framed(message("binary", name, write, { type: 3, sequenceId })).toString("latin1");
  };
  const answers: string[] = [];
  const ask = async (request: Buffer, ...expected: string[]): Promise<void> => {
    answers.push(...expected);
    raw.send(framed(request));
    await until("the answer", () => raw.received().length >= answers.join("").length);
    expect(raw.received()).toBe(answers.join(""));
  };
  await ask(message("binary", "nobody", undefined, { sequenceId: 3 }), exception("nobody", 3, 'unknown method "nobody"', 1));
  for (const name of ["__proto__", "constructor", "toString", "process_echo"])
    await ask(message("binary", name), exception(name, 1, `unknown method "${name}"`, 1));
  await ask(message("binary", "ping", undefined, { type: 2 }), exception("ping", 1, "a server takes calls, found a message of type 2", 2));
  // A list of 2^31 - 1 booleans in a few bytes, in the place of an argument.
  const bomb = (output: { [method: string]: (...values: unknown[]) => unknown }): void => {
    output["writeFieldBegin"]?.("", 15, 9);
    output["writeListBegin"]?.(2, 2 ** 31 - 1);
    output["writeFieldStop"]?.();
  };
  await ask(
    message("binary", "echo", bomb),
    exception("echo", 1, "the message's containers hold more than max_container_size (1000000) elements", 7),
  );
  await ask(message("binary", "nobody", undefined, { type: onewayType }), "");
  await ask(message("binary", "add_later", addLater(1, 2, 0), { sequenceId: 9 }), framed(answerOf("binary", 9, 3)).toString("latin1"));
});

test("no more than max_pipelined requests of a connection are in progress", async () => {
  await using server = serveThrift({ server: { max_pipelined: "2" } });
  const endpoint = await server.endpoint();
  using client = benchClient(endpoint, { maxPipelined: 10, size: 1, form: "framed binary" });
  const begun = performance.now();
  await expect(Promise.all(Array.from({ length: 6 }, () => client.call("add_later", [1, 1, 100])))).resolves.toEqual([2, 2, 2, 2, 2, 2]);
  // Three after each other.
  expect(performance.now() - begun).toBeGreaterThan(280);
});

test("a client that reads nothing is not read either", async () => {
  await using server = serveThrift();
  using raw = await openRaw(`http://${await server.endpoint()}`);
  raw.socket.pause();
  const big = framed(
    message("binary", "fail", (output) => {
      output["writeFieldBegin"]?.("", 11, 9);
      output["writeString"]?.("x".repeat(50_000));
      output["writeFieldStop"]?.();
    }),
  );
  const echo = framed(
    message("binary", "echo", (output) => {
      output["writeFieldBegin"]?.("", 12, 1);
      output["writeFieldBegin"]?.("", 11, 3);
      output["writeString"]?.("x".repeat(1_000_000));
      output["writeFieldStop"]?.();
      output["writeFieldStop"]?.();
    }),
  );
  for (let count = 0; count < 100; count++) raw.send(count === 0 ? big : echo);
  let last = -1;
  // Its own sending stands still: nobody takes it.
  await until("the sending to stand still", async () => {
    const before = last;
    last = raw.socket.writableLength;
    await new Promise((resolve) => setTimeout(resolve, 300));
    return last === before && last > 0;
  });
  expect(raw.socket.writableLength).toBeGreaterThan(50_000_000);
  raw.socket.resume();
  await until("all answers", () => raw.received().length > 99_000_000, { timeoutMs: 30_000 });
});

test("a client that closes its side still gets its answers", async () => {
  await using server = serveThrift();
  using raw = await openRaw(`http://${await server.endpoint()}`);
  raw.socket.end(framed(message("binary", "add_later", addLater(1, 2, 150))));
  expect(await raw.closed()).toBe(framed(answerOf("binary", 1, 3)).toString("latin1"));
});
