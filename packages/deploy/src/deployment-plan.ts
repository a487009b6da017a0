import type { PackageManager } from "./kit/package-manager.ts";

/** A variable that the INI file refers to: `$NAME`, `${NAME}` or `${NAME:-default}`. */
export interface EnvironmentReference {
  readonly name: string;
  /** Whether the process starts without it. */
  readonly hasDefault: boolean;
  /** Whether a key that holds a secret refers to it: then a Secret provides it, else a ConfigMap. */
  readonly isSecret: boolean;
}

/** What a server speaks: it decides on ports, probes and whether there is anything to balance. */
export type ServerKind = "http" | "thrift" | "queue" | "other";

/**
 * How a probe asks an HTTP server at its own port: over HTTP, over TLS, or not at all, where `health` is off, or clients have to show
 * a certificate or to send a PROXY header.
 */
export type ServerHealth = "http" | "https" | "none";

/** The connections that a database grants to this service: `pool.NAME.max_connections`. */
export interface PoolLimit {
  readonly name: string;
  readonly maxConnections: number;
}

/**
 * What is derived from one configuration before any file is made from it. Times are whole or broken numbers of seconds.
 */
export interface DeploymentPlan {
  /** The name of the service, a DNS label: of its objects, units and users. */
  readonly name: string;
  /** The path of the INI file from the project's root, the folder that holds `package.json`. */
  readonly iniPath: string;
  /** What installs the project's dependencies. Default `npm`. */
  readonly packageManager?: PackageManager | undefined;
  /** The INI file as it was written, nothing expanded. */
  readonly iniText: string;
  /** Which `[server:NAME]` and `[app:NAME]` are served. */
  readonly serverName: string;
  readonly appName: string;
  readonly kind: ServerKind;
  /** Default `http`. */
  readonly serverHealth?: ServerHealth | undefined;
  /** Whether clients speak TLS to the server. Default no. */
  readonly speaksTls?: boolean | undefined;
  /** Where clients connect: the port of the server in the pod. */
  readonly port: number;
  /** The address that the file says for that port, or a name; `undefined` for all interfaces. A pod listens on all of them. */
  readonly address?: string | undefined;
  /** Where the server listens on a host of its own, where it is a unix socket. */
  readonly unixSocket?: string | undefined;
  /** Where the file has it listen besides, which one port or socket does not stand for. */
  readonly otherPlaces?: readonly string[] | undefined;
  readonly drainSeconds: number;
  readonly stopSeconds: number;
  readonly startSeconds: number;
  /** `termination_grace_period_seconds`, where it is written. */
  readonly graceSeconds?: number | undefined;
  /** Worker processes of one pod or host; 1 without a master. */
  readonly workers: number;
  /** Whether `workers` is set at all, so that there is a master which upgrades on SIGHUP. */
  readonly hasMaster: boolean;
  /** How a master replaces its workers: `fleet` has two generations up at once. */
  readonly upgrade: "smooth" | "fleet";
  /** The exporter's port; `undefined` where metrics are off, or others can't reach it. */
  readonly metricsPort?: number | undefined;
  /** The exporter's port where it listens on the loopback address only. */
  readonly localMetricsPort?: number | undefined;
  /** The largest request body in bytes, which a proxy in front must let pass. */
  readonly maxBodyBytes?: number | undefined;
  /** How long an idle connection is kept, so that a proxy in front can give it up sooner. */
  readonly keepAliveSeconds?: number | undefined;
  /** The file of the access log, where there is one. */
  readonly accessLogPath?: string | undefined;
  readonly environment: readonly EnvironmentReference[];
  readonly pools: readonly PoolLimit[];
}

/** What is asked for beside the configuration, on the command line. */
export interface ManifestOptions {
  /** The image with its tag. Default `NAME:latest`. */
  readonly image?: string | undefined;
  /** Pods. Default 2, so that one can be replaced. */
  readonly replicas?: number | undefined;
  /** Scale by CPU, by the utilization of the event loops (needs a metrics adapter), or by the length of queues (needs KEDA). */
  readonly autoscaler?: "cpu" | "elu" | "keda" | undefined;
  /** For Prometheus's operator: find the pods, or the Service. */
  readonly monitor?: "pod" | "service" | undefined;
  /** Which queues KEDA looks at. */
  readonly queues?: readonly QueueTrigger[] | undefined;
}

/** A queue that a consumer of the app reads. */
export interface QueueTrigger {
  readonly system: "rabbitmq" | "aws_sqs";
  readonly queue: string;
}
