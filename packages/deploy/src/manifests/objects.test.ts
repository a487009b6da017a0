import { describe, expect, test } from "vitest";
import type { DeploymentPlan, ManifestOptions } from "../deployment-plan.ts";
import { autoscaler, scaleBounds } from "./autoscaler.ts";
import { containerOf, resourcesOf, volumesOf } from "./container.ts";
import { checksumOf, deployment } from "./deployment.ts";
import { probesOf } from "./probes.ts";
import { queueScaler, queueUrlVariable } from "./queue-scaler.ts";

const plan: DeploymentPlan = {
  name: "shop",
  iniPath: "etc/app.ini",
  iniText: "[server:main]\n",
  serverName: "main",
  appName: "main",
  kind: "http",
  port: 9090,
  drainSeconds: 5,
  stopSeconds: 10,
  startSeconds: 20,
  workers: 1,
  hasMaster: false,
  upgrade: "smooth",
  environment: [],
  pools: [],
};

interface Container {
  readonly image: string;
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly env: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: Readonly<Record<string, unknown>> }[];
  readonly lifecycle?: unknown;
  readonly volumeMounts: readonly { readonly name: string; readonly readOnly?: boolean }[];
  readonly securityContext: Readonly<Record<string, unknown>>;
}

const container = (more: Partial<DeploymentPlan> = {}, options: ManifestOptions = {}): Container =>
  containerOf({ ...plan, ...more }, options) as Container;
const variables = (more: Partial<DeploymentPlan>): Record<string, unknown> =>
  Object.fromEntries(container(more).env.map(({ name, value, valueFrom }) => [name, value ?? valueFrom]));

describe("who is asked how a pod is", () => {
  const http = (port: string, scheme?: string): object => ({ httpGet: { port, ...(scheme === undefined ? {} : { scheme }) } });
  const command = (kind: string, port: number): object => ({
    exec: { command: expect.arrayContaining([kind, `127.0.0.1:${port}`]) as string[] },
  });
  test.each<[Partial<DeploymentPlan>, readiness: object, liveness: object]>([
    [{}, http("server"), http("server")],
    [{ metricsPort: 6060 }, http("server"), http("metrics")],
    [{ localMetricsPort: 6060 }, http("server"), http("server")],
    [{ serverHealth: "https" }, http("server", "HTTPS"), http("server", "HTTPS")],
    [{ serverHealth: "https", metricsPort: 6060 }, http("server", "HTTPS"), http("metrics")],
    [{ serverHealth: "none", metricsPort: 6060 }, http("metrics"), http("metrics")],
    [{ serverHealth: "none", localMetricsPort: 6060 }, command("http", 6060), command("http", 6060)],
    [{ serverHealth: "none" }, { tcpSocket: { port: "server" } }, { tcpSocket: { port: "server" } }],
    [{ kind: "thrift" }, command("thrift", 9090), command("thrift", 9090)],
    [{ kind: "thrift", localMetricsPort: 6060 }, command("thrift", 9090), command("thrift", 9090)],
    [{ kind: "thrift", metricsPort: 6060 }, http("metrics"), http("metrics")],
    [{ kind: "other", localMetricsPort: 6060 }, command("http", 6060), command("http", 6060)],
    [{ kind: "other" }, { tcpSocket: { port: "server" } }, { tcpSocket: { port: "server" } }],
  ])("%j", (more, readiness, liveness) => {
    const found = probesOf({ ...plan, ...more });
    expect(found).toMatchObject({ readinessProbe: readiness, livenessProbe: liveness, startupProbe: liveness });
    expect(found.readinessProbe?.httpGet?.scheme).toBe((readiness as { httpGet?: { scheme?: string } }).httpGet?.scheme);
  });
});

describe("what a pod asks for", () => {
  test.each([
    [1, false, "500m", "384Mi"],
    [1, true, "500m", "512Mi"],
    [4, true, "2000m", "1664Mi"],
  ])("%d workers, with a master: %s: %s, %s", (workers, hasMaster, cpu, memory) => {
    expect(resourcesOf({ ...plan, workers, hasMaster })).toEqual({ requests: { cpu, memory }, limits: { memory } });
  });

  test("the heap is smaller than the memory of a worker", () => {
    const heap = /--max-old-space-size=(\d+)/.exec(String(variables({})["NODE_OPTIONS"]))?.[1];
    expect(Number(heap)).toBeLessThan(384);
    expect(Number(heap)).toBeGreaterThan(192);
  });
});

describe("a container", () => {
  test.each<[ManifestOptions, string]>([
    [{}, "shop:latest"],
    [{ image: "registry/shop:7" }, "registry/shop:7"],
  ])("of %j has the image %s", (options, expected) => {
    expect(container({}, options).image).toBe(expected);
  });

  test("writes nowhere but to the folder for temporary files, as nobody of importance", () => {
    const { securityContext, volumeMounts } = container();
    expect(securityContext).toMatchObject({ readOnlyRootFilesystem: true, runAsNonRoot: true, allowPrivilegeEscalation: false });
    expect(volumeMounts.filter(({ readOnly }) => readOnly !== true).map(({ name }) => name)).toEqual(["temporary"]);
    expect(volumesOf(plan).map((each) => (each as { name: string }).name)).toEqual(volumeMounts.map(({ name }) => name));
  });

  test("listens to the whole pod, and the exporter's port is named where there is one", () => {
    expect(variables({ port: 8080 })).toMatchObject({ TSSERVE_BIND: "0.0.0.0:8080", TSSERVE_LOG_FORMAT: "json", TMPDIR: "/tmp" });
    expect(container().ports.map(({ containerPort }) => containerPort)).toEqual([9090]);
    expect(container({ metricsPort: 6060 }).ports.map(({ containerPort }) => containerPort)).toEqual([9090, 6060]);
  });

  test("names its sections where they are others", () => {
    expect(Object.keys(variables({}))).not.toContain("TSSERVE_SERVER_NAME");
    expect(variables({ serverName: "admin", appName: "other" })).toMatchObject({ TSSERVE_SERVER_NAME: "admin", TSSERVE_APP_NAME: "other" });
  });

  test.each([
    [{ hasDefault: false, isSecret: true }, { secretKeyRef: { name: "shop", key: "X" } }],
    [{ hasDefault: true, isSecret: true }, { secretKeyRef: { name: "shop", key: "X", optional: true } }],
    [{ hasDefault: false, isSecret: false }, { configMapKeyRef: { name: expect.stringContaining("shop") as unknown, key: "X" } }],
    [
      { hasDefault: true, isSecret: false },
      { configMapKeyRef: { name: expect.stringContaining("shop") as unknown, key: "X", optional: true } },
    ],
  ])("a variable that is %j comes from %j", (kind, expected) => {
    expect(variables({ environment: [{ name: "X", ...kind }] })["X"]).toEqual(expected);
  });

  test.each<[Partial<DeploymentPlan>, unknown]>([
    [{ drainSeconds: 5 }, undefined],
    [{ drainSeconds: 0 }, { preStop: { sleep: { seconds: 5 } } }],
    [{ drainSeconds: 3.5 }, { preStop: { sleep: { seconds: 2 } } }],
    [{ drainSeconds: 0, kind: "queue" }, undefined],
  ])("of %j sleeps %j before it is stopped", (more, expected) => {
    expect(container(more).lifecycle).toEqual(expected);
  });
});

describe("a Deployment", () => {
  const spec = (more: Partial<DeploymentPlan> = {}, options: ManifestOptions = {}) =>
    deployment({ ...plan, ...more }, options)["spec"] as {
      readonly replicas?: number;
      readonly strategy: { readonly rollingUpdate: { readonly maxUnavailable: number } };
      readonly template: { readonly metadata: { readonly annotations: object }; readonly spec: Readonly<Record<string, unknown>> };
    };

  test.each<[ManifestOptions, number | undefined]>([
    [{}, 2],
    [{ replicas: 5 }, 5],
    [{ autoscaler: "cpu" }, undefined],
    [{ autoscaler: "keda", replicas: 3 }, undefined],
  ])("of %j has %s replicas: an autoscaler owns their number", (options, expected) => {
    expect(spec({}, options).replicas).toBe(expected);
  });

  test("takes no pod away before its successor is there, and gives it the time that its stop takes", () => {
    expect(spec().strategy.rollingUpdate.maxUnavailable).toBe(0);
    expect(spec().template.spec["terminationGracePeriodSeconds"]).toBe(21);
    expect(spec({ graceSeconds: 90 }).template.spec["terminationGracePeriodSeconds"]).toBe(90);
  });

  test("another text of the file makes other pods, and the same text the same", () => {
    const checksum = (iniText: string) => JSON.stringify(spec({ iniText }).template.metadata.annotations);
    expect(checksum("a")).toBe(checksum("a"));
    expect(checksum("a")).not.toBe(checksum("b"));
    expect(checksumOf("")).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe("autoscalers", () => {
  test.each<[ManifestOptions, number, number]>([
    [{}, 2, 8],
    [{ replicas: 1 }, 1, 4],
    [{ replicas: 10 }, 10, 40],
  ])("%j scales from %d to %d", (options, least, most) => {
    expect(scaleBounds(options)).toEqual({ least, most });
  });

  test.each<[ManifestOptions["autoscaler"], string | undefined]>([
    [undefined, undefined],
    ["keda", undefined],
    ["cpu", "cpu"],
    ["elu", "runtime_event_loop_utilization"],
  ])("by %s looks at %s", (kind, expected) => {
    const made = autoscaler(plan, kind === undefined ? {} : { autoscaler: kind });
    if (expected === undefined) expect(made).toBeUndefined();
    else expect(JSON.stringify(made)).toContain(`"name":"${expected}"`);
  });

  test.each<[ManifestOptions]>([
    [{}],
    [{ autoscaler: "keda" }],
    [{ autoscaler: "keda", queues: [] }],
    [{ autoscaler: "cpu", queues: [{ system: "rabbitmq", queue: "a" }] }],
  ])("of queues there is none for %j", (options) => {
    expect(queueScaler(plan, options)).toBeUndefined();
  });

  test("of queues counts what is waiting and what is prefetched, of each", () => {
    const queues = [
      { system: "rabbitmq", queue: "orders" },
      { system: "aws_sqs", queue: "mail.fifo" },
    ] as const;
    const made = queueScaler(plan, { autoscaler: "keda", queues, replicas: 3 }) as unknown as {
      spec: { triggers: { metadata: object }[] };
    };
    expect(made.spec).toMatchObject({ minReplicaCount: 3, maxReplicaCount: 12 });
    expect(made.spec.triggers.map(({ metadata }) => metadata)).toMatchObject([
      { queueName: "orders", excludeUnacknowledged: "false" },
      { queueURLFromEnv: "QUEUE_URL_MAIL_FIFO", scaleOnInFlight: "true" },
    ]);
  });

  test.each([
    ["orders", "QUEUE_URL_ORDERS"],
    ["order-mails.fifo", "QUEUE_URL_ORDER_MAILS_FIFO"],
    ["a_b", "QUEUE_URL_A_B"],
  ])("the address of %s is in %s", (queue, expected) => {
    expect(queueUrlVariable(queue)).toBe(expected);
  });
});
