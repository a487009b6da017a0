import { resolve } from "node:path";
import {
  boolean,
  ConfigurationError,
  integerFrom,
  oneOf,
  optionalSetting,
  parseConfig,
  positive,
  setting,
  string,
  timespanOrSeconds,
  tupleOf,
  type Parser,
  type Problem,
  type Reader,
} from "@tsserve/config";

type AmqpSpec = {
  readonly host: Reader<readonly string[]>;
  readonly port: Reader<number | undefined>;
  readonly login: Reader<string>;
  readonly password: Reader<string>;
  readonly virtualhost: Reader<string>;
  readonly ssl: Reader<boolean>;
  readonly ssl_ca: Reader<string | undefined>;
  readonly ssl_cert: Reader<string | undefined>;
  readonly ssl_key: Reader<string | undefined>;
  readonly heartbeat: Reader<number>;
  readonly connect_timeout: Reader<number>;
  readonly exchange_name: Reader<string>;
  readonly routing_key_prefix: Reader<string | undefined>;
  readonly queue_name_prefix: Reader<string | undefined>;
  readonly queue_ttl: Reader<number | undefined>;
  readonly queue_type: Reader<"classic" | "quorum" | undefined>;
  readonly declare: Reader<"missing" | "off">;
  readonly qos: {
    readonly queue_prefetch_count: Reader<number | undefined>;
    readonly global_prefetch_count: Reader<undefined>;
  };
};

const port = integerFrom("a port", 1, 65_535);
/** AMQP's field for it has 16 bits. */
const prefetch = integerFrom("a number", 1, 65_535);

const heartbeat: Parser<number> = (text) => {
  const seconds = timespanOrSeconds(text) / 1000;
  if (!Number.isInteger(seconds) || seconds > 65_535) throw new Error("expected whole seconds, at most 65535; 0 turns heartbeats off");
  return seconds;
};

const refuseGlobalPrefetch: Parser<undefined> = () => {
  throw new Error(
    "a limit over all consumers of a channel is not supported: quorum queues refuse it, and close the connection; set max_concurrency and amqp.qos.queue_prefetch_count",
  );
};

/** The keys below `amqp`, in `[server:…]` for consumers, in `[app:…]` for a publisher. */
export const amqpSpec: AmqpSpec = {
  host: setting(tupleOf(string), "127.0.0.1", "RabbitMQ's host; of several, separated by commas, each is tried in turn."),
  port: optionalSetting(port, "RabbitMQ's port. Default: 5672, or 5671 with `amqp.ssl`."),
  login: setting(string, "guest", "The user."),
  password: setting(string, "guest", "The user's password."),
  virtualhost: setting(string, "/", "The virtual host."),
  ssl: setting(boolean, "false", "Whether to speak TLS. The broker's certificate is always verified."),
  ssl_ca: optionalSetting(string, "A file with the certificates that the broker's is verified with, rather than those that Node knows."),
  ssl_cert: optionalSetting(string, "A file with the certificate that we show the broker; with `amqp.ssl_key`."),
  ssl_key: optionalSetting(string, "A file with the key of `amqp.ssl_cert`."),
  heartbeat: setting(
    heartbeat,
    "60",
    "Whole seconds between heartbeats; the broker's own value is the ceiling. A handler that blocks the event loop for longer than two of them loses the connection.",
  ),
  connect_timeout: setting(
    positive(timespanOrSeconds),
    "10 seconds",
    "How long a connection may take until it is open, and how long each answer of the broker may take.",
  ),
  exchange_name: setting(
    string,
    "amq.topic",
    "The exchange that queues are bound to, and messages are published to. Another one than the broker's own is declared as a durable topic exchange where it is absent.",
  ),
  routing_key_prefix: optionalSetting(string, "Put before every routing key, of consumers and of publishers."),
  queue_name_prefix: optionalSetting(string, "Put before every queue's name."),
  queue_ttl: optionalSetting(
    timespanOrSeconds,
    "After so long without a consumer the broker deletes a queue, with its messages (`x-expires`). Default: one day for the queues of one process (`competing: false`), never for shared ones. Written here it holds for all queues that are declared, shared ones too.",
  ),
  queue_type: optionalSetting(
    oneOf({ classic: "classic", quorum: "quorum" }),
    "`classic` or `quorum`, for the queues that are declared here. Default: the broker's.",
  ),
  declare: setting(
    oneOf({ missing: "missing", off: "off" }),
    "missing",
    "`missing`: what is absent is declared, what exists is left as it is. `off`: nothing is declared, and a queue that is absent fails the start.",
  ),
  qos: {
    queue_prefetch_count: optionalSetting(
      prefetch,
      "How many messages a consumer holds at most, running and waiting. Default: twice its concurrency; 1 for ordered ones.",
    ),
    global_prefetch_count: optionalSetting(refuseGlobalPrefetch, "Refused: quorum queues don't support it. Remove it."),
  },
};

export interface AmqpSettings {
  /** Of the INI file: from where the app's own copy of amqplib is found. */
  readonly folder: string;
  readonly hosts: readonly string[];
  readonly port: number;
  readonly login: string;
  readonly password: string;
  readonly virtualHost: string;
  /** `undefined` without TLS. */
  readonly tls: { readonly ca: string | undefined; readonly cert: string | undefined; readonly key: string | undefined } | undefined;
  readonly heartbeatSeconds: number;
  readonly connectTimeoutMs: number;
  readonly exchange: string;
  readonly routingKeyPrefix: string;
  readonly queueNamePrefix: string;
  readonly queueTtlMs: number | undefined;
  readonly queueType: "classic" | "quorum" | undefined;
  readonly declares: boolean;
  readonly prefetch: number | undefined;
}

/**
 * @param folder of the INI file, from which the files of `amqp.ssl` and amqplib are found
 * @throws {ConfigurationError}
 */
export function amqpSettings(raw: Readonly<Record<string, string>>, folder: string = process.cwd()): AmqpSettings {
  const { amqp } = parseConfig(raw, { amqp: amqpSpec });
  checkTls(amqp);
  return {
    folder,
    hosts: amqp.host,
    port: amqp.port ?? (amqp.ssl ? 5671 : 5672),
    login: amqp.login,
    password: amqp.password,
    virtualHost: amqp.virtualhost,
    tls: amqp.ssl
      ? { ca: inFolder(folder, amqp.ssl_ca), cert: inFolder(folder, amqp.ssl_cert), key: inFolder(folder, amqp.ssl_key) }
      : undefined,
    heartbeatSeconds: amqp.heartbeat,
    connectTimeoutMs: amqp.connect_timeout,
    exchange: amqp.exchange_name,
    routingKeyPrefix: amqp.routing_key_prefix ?? "",
    queueNamePrefix: amqp.queue_name_prefix ?? "",
    queueTtlMs: amqp.queue_ttl,
    queueType: amqp.queue_type,
    declares: amqp.declare === "missing",
    prefetch: amqp.qos.queue_prefetch_count,
  };
}

/** @throws {ConfigurationError} */
function checkTls(amqp: Readonly<Record<"ssl_ca" | "ssl_cert" | "ssl_key", string | undefined>> & { readonly ssl: boolean }): void {
  const problems: Problem[] = [];
  const report = (key: "ssl_ca" | "ssl_cert" | "ssl_key", message: string): void =>
    void problems.push({ key: `amqp.${key}`, message, value: amqp[key] });
  // Else the password would go over the wire for all to read, against the writer's intent.
  if (!amqp.ssl)
    for (const key of ["ssl_ca", "ssl_cert", "ssl_key"] as const) if (amqp[key] !== undefined) report(key, "needs amqp.ssl = true");
  if (amqp.ssl && amqp.ssl_cert !== undefined && amqp.ssl_key === undefined) report("ssl_cert", "needs amqp.ssl_key, too");
  if (amqp.ssl && amqp.ssl_key !== undefined && amqp.ssl_cert === undefined) report("ssl_key", "needs amqp.ssl_cert, too");
  if (problems.length > 0) throw new ConfigurationError(problems);
}

function inFolder(folder: string, path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(folder, path);
}
