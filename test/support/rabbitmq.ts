import { execFile, execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectTo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort, until } from "@tsserve/testing";
import { connect, type Channel, type ChannelModel, type Options } from "amqplib";

/** The folder of Debian's package `rabbitmq-server` with the broker's own scripts; the wrappers in /usr/sbin change the user. */
const scripts = findScripts();

/** Why there is no broker here; `undefined` where there is one. */
export const noRabbitmq: string | undefined =
  scripts === undefined ? "skipped: RabbitMQ is not installed (apt-get install rabbitmq-server)" : undefined;

/** A RabbitMQ of this test's own: in a folder, on ports and with a node name that nobody else has. */
export interface Rabbitmq extends AsyncDisposable {
  readonly port: number;
  /** Where its data and logs are. */
  readonly folder: string;
  /** The keys of an INI file that name it. */
  readonly settings: Readonly<Record<string, string>>;
  /** A connection of the test's own. It is not closed with the broker. */
  connect(): Promise<ChannelModel>;
  /** The same, for a test that breaks connections: that this one is broken off is no failure. */
  connectLoosely(virtualHost?: string): Promise<ChannelModel>;
  /** Runs `rabbitmqctl`. */
  ctl(...args: string[]): void;
  /** The lines that `rabbitmqctl` gives, their columns separated by tabs. */
  query(...args: string[]): Promise<string[]>;
  /** Ends it as a power cut would, or, with SIGTERM, in good order; its data stays. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again, with its data. Resolves when its port accepts. */
  start(): Promise<void>;
}

/** Starts a broker; takes 5 to 15 s. `configuration` are more lines of its rabbitmq.conf. */
export async function startRabbitmq(configuration: readonly string[] = []): Promise<Rabbitmq> {
  if (scripts === undefined) throw new Error("RabbitMQ is not installed");
  const folder = mkdtempSync(join(tmpdir(), "tsserve-rabbitmq-"));
  const [port, distribution, epmd] = [await freePort(), await freePort(), await freePort()];
  const env = {
    ...process.env,
    HOME: folder,
    RABBITMQ_NODENAME: `t${port}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: "127.0.0.1",
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distribution),
    ERL_EPMD_ADDRESS: "127.0.0.1",
    ERL_EPMD_PORT: String(epmd),
    RABBITMQ_MNESIA_BASE: join(folder, "mnesia"),
    RABBITMQ_LOG_BASE: join(folder, "log"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, "enabled_plugins"),
    RABBITMQ_CONFIG_FILE: join(folder, "rabbitmq.conf"),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, "advanced.config"),
    RABBITMQ_CONF_ENV_FILE: "/dev/null",
    RABBITMQ_PID_FILE: join(folder, "pid"),
    // Two cores are shared with the workers under test: more schedulers than that only wait.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "+S 2:2 +sbwt none",
  };
  writeFileSync(join(folder, "enabled_plugins"), "[].");
  writeFileSync(join(folder, "rabbitmq.conf"), [`listeners.tcp.default = 127.0.0.1:${port}`, ...configuration, ""].join("\n"));
  let child: ChildProcess | undefined;
  let output = "";
  const pid = (): number => Number(readFileSync(join(folder, "pid"), "utf8"));
  const start = async (): Promise<void> => {
    rmSync(join(folder, "pid"), { force: true });
    child = spawn(join(scripts, "rabbitmq-server"), [], { env, cwd: folder, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    child.stdout?.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr?.on("data", (chunk: Buffer) => (output += chunk.toString()));
    await until("RabbitMQ to accept connections", () => existsSync(join(folder, "pid")) && accepts(port), {
      timeoutMs: 120_000,
      describe: () => output,
    });
  };
  const kill = async (signal: NodeJS.Signals = "SIGKILL"): Promise<void> => {
    const running = child;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const ended = new Promise((resolve) => running.once("exit", resolve));
    if (existsSync(join(folder, "pid"))) process.kill(pid(), signal);
    else killGroup(running.pid ?? 0);
    await ended;
  };
  const end = async (): Promise<void> => {
    await kill();
    if (child?.pid !== undefined) killGroup(child.pid);
    // Erlang's name server stays behind as a daemon.
    spawnSync("epmd", ["-port", String(epmd), "-kill"], { env, stdio: "ignore", timeout: 10_000 });
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    await start();
  } catch (error) {
    await end();
    throw error;
  }
  const open = (virtualHost = ""): Promise<ChannelModel> =>
    connect(`amqp://127.0.0.1:${port}/${virtualHost}`.replace(/\/$/, ""), { timeout: 20_000, noDelay: true });
  return {
    port,
    folder,
    settings: { "amqp.port": String(port) },
    connect: () => open(),
    connectLoosely: async (virtualHost) => (await open(virtualHost)).on("error", () => undefined),
    ctl: (...args) => void execFileSync(join(scripts, "rabbitmqctl"), args, { env, stdio: "pipe", timeout: 30_000 }),
    query: async (...args) => {
      const { stdout } = await promisify(execFile)(join(scripts, "rabbitmqctl"), ["-q", ...args], { env, timeout: 30_000 });
      return stdout.trim().split("\n");
    },
    kill,
    start,
    [Symbol.asyncDispose]: end,
  };
}

/** Puts so many messages into a queue, confirmed; `bodyOf` gives the JSON of each. */
export async function fill(
  model: ChannelModel,
  queue: string,
  count: number,
  { from = 0, withIds = true }: { readonly from?: number; readonly withIds?: boolean } = {},
): Promise<void> {
  const channel = await model.createConfirmChannel();
  for (let n = from; n < from + count; n += 1) {
    channel.sendToQueue(queue, Buffer.from(JSON.stringify({ n })), {
      persistent: true,
      timestamp: Math.floor(Date.now() / 1000),
      ...(withIds ? { messageId: `${queue}-${n}` } : {}),
    });
  }
  await channel.waitForConfirms();
  await channel.close();
}

/** Sends one persistent message to a queue, and waits until the broker has it. What is neither a text nor bytes goes as JSON. */
export async function sendTo(
  model: ChannelModel,
  queue: string,
  body: string | Buffer | object,
  properties: Options.Publish = {},
): Promise<void> {
  const channel = await model.createConfirmChannel();
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
  channel.sendToQueue(queue, bytes, { persistent: true, ...properties });
  await channel.waitForConfirms();
  await channel.close();
}

/** How many messages wait in a queue; -1 where it does not exist. */
export async function ready(model: ChannelModel, queue: string): Promise<number> {
  const channel: Channel = await model.createChannel();
  channel.on("error", () => undefined);
  try {
    const { messageCount } = await channel.checkQueue(queue);
    await channel.close();
    return messageCount;
  } catch {
    return -1;
  }
}

/**
 * Closes the connections of all that consume, as an operator does, until `isSeen`. Not by `ctl`, which would keep this process from
 * what it does meanwhile. A busy broker lists nothing at times, and one that is listed may be closed already.
 */
export async function closeConsumers(broker: Rabbitmq, isSeen: () => boolean, describe: () => string = () => ""): Promise<void> {
  let listed: readonly string[] = [];
  const close = async (): Promise<boolean> => {
    const connections = await broker.query("list_connections", "pid", "client_properties");
    listed = connections;
    const pids = connections.filter((line) => line.includes("tsserve consumer")).map((line) => line.split("\t")[0] ?? "");
    for (const pid of pids) await broker.query("close_connection", pid, "a test").catch(() => undefined);
    if (pids.length > 0) await until("it to be seen", isSeen, { timeoutMs: 5000 }).catch(() => undefined);
    return isSeen();
  };
  // Each word to the broker boots an Erlang of its own, which may take long where thirty wait for two cores.
  await until("the connection to be lost", close, { timeoutMs: 240_000, describe: () => `${describe()}\nlisted: ${listed.join("\n")}` });
}

/**
 * Resolves when nothing is in a queue, neither ready nor unacknowledged, nor in those of its retries and returns. That no message is
 * ready says nothing of what workers hold, and what waits in the queues that expire comes back later. The queues themselves are
 * asked: what `list_queues` says of a quorum queue may be five seconds old.
 *
 * @param responsive resolves when those that consume do something: one that is blocked may still have a copy to send, of what the broker
 *   has taken back from it and others have settled
 */
export async function drained(
  broker: Rabbitmq,
  queue: string,
  describe: () => string = () => "",
  responsive: () => Promise<unknown> = () => Promise.resolve(),
): Promise<void> {
  const total = `
    Count = fun(Q) -> case amqqueue:get_type(Q) of
      rabbit_quorum_queue -> element(2, ra:consistent_query(amqqueue:get_pid(Q), fun rabbit_fifo:query_messages_total/1));
      _ -> proplists:get_value(messages, rabbit_amqqueue:info(Q, [messages])) end end,
    Name = fun(Q) -> element(4, amqqueue:get_name(Q)) end,
    IsOf = fun(N) -> re:run(N, "^\\\\Q${queue}\\\\E([.](retry|redelivered)[.].*)?$") =/= nomatch end,
    lists:sum([Count(Q) || Q <- rabbit_amqqueue:list(), IsOf(Name(Q))]).`;
  let left = "";
  // One queue is asked after the other: a message that moves from one to another might be missed, but not twice in a row.
  const isDrained = async (): Promise<boolean> => {
    for (let count = 0; count < 2; count += 1) {
      await responsive();
      left = (await broker.query("eval", total)).join("\n");
      if (left !== "0") return false;
    }
    return true;
  };
  await until(`${queue} to be empty`, isDrained, { timeoutMs: 100_000, describe: () => `left: ${left}\n${describe()}` });
}

/**
 * Waits for what becomes of a queue's messages. Where that does not come, the error says what the broker knows by then of the queue, of
 * those that consume from it, and of all channels.
 */
export async function toldOf(broker: Rabbitmq, queue: string, waiting: Promise<unknown>): Promise<void> {
  try {
    await waiting;
  } catch (cause) {
    const told = await Promise.all(states.map((words) => linesOf(broker, queue, words)));
    throw new Error(`${cause instanceof Error ? cause.message : String(cause)}\n${told.join("\n")}`, { cause });
  }
}

const states = [
  ["list_queues", "name", "messages_ready", "messages_unacknowledged", "consumers"],
  ["list_consumers", "queue_name", "channel_pid", "consumer_tag", "active", "activity_status", "prefetch_count"],
  ["list_channels", "pid", "connection", "consumer_count", "messages_unacknowledged"],
] as const;

/** A broker that is away, or that does not know a column, must not hide what has failed. */
async function linesOf(broker: Rabbitmq, queue: string, words: readonly string[]): Promise<string> {
  const isOf = (line: string): boolean => words[0] === "list_channels" || line.startsWith(`${queue}\t`);
  const lines = await broker.query(...words).catch((error: unknown) => [String(error)]);
  return [words.join(" "), ...lines.slice(1).filter(isOf)].join("\n  ");
}

/** Takes all messages out of a queue; none where it does not exist. @returns the `n` of each */
export async function takeAll(model: ChannelModel, queue: string): Promise<number[]> {
  if ((await ready(model, queue)) < 1) return [];
  const channel = await model.createChannel();
  const taken: number[] = [];
  for (;;) {
    const message = await channel.get(queue, { noAck: true });
    if (message === false) break;
    taken.push((JSON.parse(message.content.toString()) as { n: number }).n);
  }
  await channel.close();
  return taken;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTo(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

function findScripts(): string | undefined {
  const library = "/usr/lib/rabbitmq";
  const folder = join(library, "bin");
  if (existsSync(join(folder, "rabbitmq-server"))) return folder;
  const release = existsSync(join(library, "lib"))
    ? readdirSync(join(library, "lib")).find((name) => name.startsWith("rabbitmq_server-"))
    : undefined;
  return release === undefined ? undefined : join(library, "lib", release, "sbin");
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}
