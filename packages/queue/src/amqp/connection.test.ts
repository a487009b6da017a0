import type { Logger } from "pino";
import { expect, test, vi } from "vitest";
import { AmqpConnection } from "./connection.ts";
import { FakeBroker } from "./fake-broker.ts";
import type { AmqpLibrary } from "./library.ts";
import { amqpSettings } from "./settings.ts";

interface Asked {
  readonly hostname: string;
  readonly protocol: string;
  readonly port: number;
  readonly vhost: string;
  readonly heartbeat: number;
}

/** A connection, the addresses that it asked for, and what it told. Each ask is answered by the next of `answers`, the last one repeats. */
function made(raw: Record<string, string>, answers: readonly ("open" | "silence" | Error)[] = ["open"]) {
  const broker = new FakeBroker();
  const asked: Asked[] = [];
  const told: string[] = [];
  const signals: AbortSignal[] = [];
  const tell = (first: unknown, text?: string): void => void told.push(text ?? String(first));
  const connect = (address: Asked, options: { readonly signal: AbortSignal }): Promise<unknown> => {
    const answer = answers[Math.min(asked.length, answers.length - 1)];
    asked.push(address);
    signals.push(options.signal);
    if (answer === "silence") return new Promise(() => undefined);
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(broker.connect());
  };
  const connection = new AmqpConnection({
    settings: amqpSettings({ "amqp.connect_timeout": "5", ...raw }),
    library: () => ({ connect }) as unknown as AmqpLibrary,
    name: "test",
    log: { info: tell, warn: tell, error: tell } as unknown as Logger,
  });
  return { broker, connection, asked, told, signals };
}

const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });

test("one try is shared by all that ask, and an open connection is given again", async () => {
  const { connection, asked } = made({});
  const [one, other] = await Promise.all([connection.open(), connection.open()]);
  expect([one === other, (await connection.open()) === one, asked.length, connection.isOpen]).toEqual([true, true, 1, true]);
});

test("a try that was begun is the one that is opened, by whoever asks and whenever", async () => {
  for (const waits of [false, true]) {
    const { connection, asked } = made({});
    connection.begin();
    connection.begin();
    if (waits) await vi.waitUntil(() => connection.isOpen);
    const [one, other] = await Promise.all([connection.open(), connection.open()]);
    expect([one === other, asked.length]).toEqual([true, 1]);
  }
});

test("one that was begun and has failed is tried anew by the first that asks; while it is tried, its failure is theirs", async () => {
  const { connection, asked } = made({}, [refused, "open"]);
  connection.begin();
  await vi.waitUntil(() => connection.lastError !== undefined);
  await connection.open();
  expect([asked.length, connection.isOpen]).toEqual([2, true]);
  const other = made({}, [refused]);
  other.connection.begin();
  await expect(other.connection.open()).rejects.toMatchObject({ reason: "unreachable" });
  expect(other.asked).toHaveLength(1);
});

test("one that was begun and is lost before anybody asks is not given to anybody", async () => {
  const { broker, connection, asked } = made({});
  connection.begin();
  await vi.waitUntil(() => connection.isOpen);
  const lost = broker.models[0];
  lost?.emit("close");
  expect([(await connection.open()) === (lost as unknown), asked.length]).toEqual([false, 2]);
});

test.each(["open", "silence", refused] as const)("closed, one that was begun and is answered with %s leaves nothing", async (answer) => {
  const { broker, connection, signals } = made({}, [answer]);
  connection.begin();
  await connection.close();
  expect([connection.isOpen, signals[0]?.aborted, broker.called("closeConnection").length]).toEqual([
    false,
    true,
    answer === "open" ? 1 : 0,
  ]);
});

test.each<[Record<string, string>, Partial<Asked>]>([
  [{}, { protocol: "amqp", hostname: "127.0.0.1", port: 5672, vhost: "%2F", heartbeat: 60 }],
  [{ "amqp.virtualhost": "a b/c" }, { vhost: "a%20b%2Fc" }],
  [
    { "amqp.ssl": "true", "amqp.host": "mq.example.org" },
    { protocol: "amqps", hostname: "mq.example.org", port: 5671 },
  ],
  [
    { "amqp.heartbeat": "0", "amqp.port": "7" },
    { heartbeat: 0, port: 7 },
  ],
])("%j is asked for as %j", async (raw, expected) => {
  const { connection, asked } = made(raw);
  await connection.open();
  expect(asked[0]).toMatchObject(expected);
});

test("of several hosts each is tried in turn, and after failures there is a pause", async () => {
  const { connection, asked } = made({ "amqp.host": "a, b, c" }, [refused, refused, "open"]);
  for (const host of ["a", "b"])
    await expect(connection.open()).rejects.toMatchObject({ reason: "unreachable", message: new RegExp(`at ${host}:`) });
  expect(connection.lastError?.message).toMatch(/at b:5672 refuses connections/);
  await connection.open();
  expect(asked.map(({ hostname }) => hostname)).toEqual(["a", "b", "c"]);
});

test("a peer that says nothing is given up, its socket too", async () => {
  const { connection, signals } = made({ "amqp.connect_timeout": "0.05" }, ["silence"]);
  await expect(connection.open()).rejects.toMatchObject({ reason: "timeout", message: /127\.0\.0\.1:5672: no answer within 50 ms/ });
  expect(signals[0]?.aborted).toBe(true);
});

test("a connection that is lost is had again, with the reason for it", async () => {
  const { broker, connection, asked } = made({});
  await connection.open();
  broker.models[0]?.emit("error", new Error('320 (CONNECTION-FORCED) with message "CONNECTION_FORCED - a test"'));
  broker.models[0]?.emit("close");
  expect([connection.isOpen, connection.lastError?.reason]).toEqual([false, "connection_lost"]);
  expect(connection.lastError?.message).toMatch(/was lost: 320 \(CONNECTION-FORCED\)/);
  await connection.open();
  // What the old one still says is not of the new one.
  broker.models[0]?.emit("close");
  expect([connection.isOpen, asked.length]).toEqual([true, 2]);
});

test("one whose peer does not answer is abandoned; one that was replaced already is not", async () => {
  const { broker, connection } = made({});
  const first = await connection.open();
  const error = { reason: "timeout" } as never;
  connection.abandon(first, error);
  expect([connection.isOpen, connection.lastError]).toEqual([false, error]);
  await connection.open();
  connection.abandon(first, error);
  expect([connection.isOpen, broker.models.length]).toEqual([true, 2]);
});

test("a heartbeat that the broker lowers is told once, a fault of a listener each time", async () => {
  const { broker, connection, told } = made({ "amqp.heartbeat": "120" });
  await connection.open();
  broker.models[0]?.emit("close");
  await connection.open();
  expect(told.filter((text) => text.includes("heartbeat"))).toEqual([
    "RabbitMQ asks for a heartbeat every 60 seconds: amqp.heartbeat, 120, is above that",
  ]);
  broker.models[1]?.emit("handler-error", new Error("a fault"));
  expect(told.at(-1)).toMatch(/a listener of the connection test failed/);
});

test("an alarm is told, and so is its end", async () => {
  const { broker, connection, told } = made({});
  await connection.open();
  broker.models[0]?.emit("blocked", "low on disk");
  broker.models[0]?.emit("unblocked");
  expect(told).toEqual([expect.stringContaining("low on disk"), "RabbitMQ takes messages again"]);
  broker.models[0]?.emit("blocked", "low on disk");
  broker.models[0]?.emit("close");
  expect(connection.blockedBecause).toBeUndefined();
});

test.each(["answers", "does not answer"])("closing ends when the broker %s, and what is asked afterwards is refused", async (how) => {
  const { broker, connection } = made({});
  await connection.open();
  const ended = vi.fn();
  if (how === "does not answer") broker.faults.set("closeConnection", "silence");
  broker.models[0]?.on("close", ended);
  await connection.close();
  expect(ended.mock.calls).toHaveLength(how === "answers" ? 0 : 1);
  await expect(connection.open()).rejects.toMatchObject({ isPermanent: true, message: /closed for good/ });
});

test("closing gives up a try that is on its way, and one that waits for its turn", async () => {
  const silent = made({ "amqp.connect_timeout": "10" }, ["silence"]);
  const opening = silent.connection.open();
  await vi.waitUntil(() => silent.signals.length === 1);
  expect(silent.signals[0]?.aborted).toBe(false);
  void silent.connection.close();
  expect(silent.signals[0]?.aborted).toBe(true);
  void opening.catch(() => undefined);
  const waiting = made({}, [refused]);
  for (let tries = 0; tries < 3; tries += 1) await waiting.connection.open().catch(() => undefined);
  const next = waiting.connection.open();
  await waiting.connection.close();
  await expect(next).rejects.toMatchObject({ message: /closed for good/ });
  expect(waiting.asked).toHaveLength(3);
});
