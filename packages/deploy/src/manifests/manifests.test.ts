import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PodMonitor, ServiceMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
import { Deployment } from "kubernetes-models/apps/v1";
import { HorizontalPodAutoscaler } from "kubernetes-models/autoscaling/v2";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1";
import { ConfigMap, Service } from "kubernetes-models/v1";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import type { DeploymentPlan, ManifestOptions } from "../deployment-plan.ts";
import { manifests } from "./manifests.ts";
import { printManifests } from "./print-manifests.ts";

const iniText =
  '[server:main]\nfactory = tsserve/http\n\n[app:main]\nfactory = ./app.js\ndb = postgres://app:$DB_PASSWORD@db/app\nnote = "  {{ blanks }}  "\n\tmore: of #it\n';

const plan: DeploymentPlan = {
  name: "orders",
  iniPath: "config/app.ini",
  iniText,
  serverName: "main",
  appName: "main",
  kind: "http",
  port: 9090,
  drainSeconds: 0,
  stopSeconds: 10,
  startSeconds: 60,
  workers: 1,
  hasMaster: false,
  upgrade: "smooth",
  metricsPort: 6060,
  environment: [
    { name: "DB_PASSWORD", hasDefault: false, isSecret: true },
    { name: "REGION", hasDefault: true, isSecret: false },
  ],
  pools: [],
};

const plans: Readonly<Record<string, [DeploymentPlan, ManifestOptions]>> = {
  "one process": [plan, {}],
  "four workers with an autoscaler": [
    { ...plan, workers: 4, hasMaster: true, drainSeconds: 5 },
    { autoscaler: "cpu", monitor: "service", replicas: 3 },
  ],
  "scaled by its event loops": [plan, { autoscaler: "elu", monitor: "pod", image: "registry.example/orders:1" }],
  Thrift: [{ ...plan, kind: "thrift", metricsPort: undefined }, {}],
  "Thrift with metrics": [{ ...plan, kind: "thrift" }, { monitor: "pod" }],
  "a queue": [
    { ...plan, kind: "queue" },
    { autoscaler: "keda", monitor: "service", queues: [{ system: "rabbitmq", queue: "orders" }] },
  ],
};

interface Validated {
  validate(): void;
}
const models: Readonly<Record<string, new (data: never) => Validated>> = {
  ConfigMap,
  Deployment,
  HorizontalPodAutoscaler,
  PodDisruptionBudget,
  PodMonitor,
  Service,
  ServiceMonitor,
};

/** KEDA has no model: its object is read by KEDA's own documentation. */
const withoutModel = new Set(["ScaledObject"]);

function parsed(text: string): Record<string, unknown>[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as Record<string, unknown> | null)
    .filter((object) => object !== null);
}

/** What the first validator says: required keys, types, enums and quantities. */
function validate(objects: readonly Record<string, unknown>[]): void {
  for (const object of objects) {
    const kind = String(object["kind"]);
    if (withoutModel.has(kind)) continue;
    const Model = models[kind];
    if (Model === undefined) throw new Error(`no model for ${kind}`);
    new Model(object as never).validate();
  }
}

const types: Readonly<Record<string, string>> = {
  ConfigMap: "core/v1",
  Deployment: "apps/v1",
  HorizontalPodAutoscaler: "autoscaling/v2",
  PodDisruptionBudget: "policy/v1",
  Service: "core/v1",
};

/** What the second validator, the compiler, says of all of them at once: unknown keys, too. */
function compile(objects: readonly Record<string, unknown>[]): string {
  const root = fileURLToPath(new URL("../../../../", import.meta.url));
  const folder = mkdtempSync(join(root, "node_modules", ".manifests-"));
  try {
    const literals = objects
      .filter(({ kind }) => types[String(kind)] !== undefined)
      .map(
        (object) =>
          `satisfies_<import("kubernetes-types/${types[String(object["kind"])]}.js").${String(object["kind"])}>(${JSON.stringify(object)});`,
      );
    writeFileSync(join(folder, "all.ts"), `declare function satisfies_<T>(object: T): void;\n${literals.join("\n")}\nexport {};\n`);
    const { stdout } = spawnSync(
      process.execPath,
      [
        join(root, "node_modules/typescript/bin/tsc"),
        "--noEmit",
        "--ignoreConfig",
        "--strict",
        "--module",
        "nodenext",
        "--types",
        "",
        "--skipLibCheck",
        join(folder, "all.ts"),
      ],
      { encoding: "utf8" },
    );
    return stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("what is printed", () => {
  const printed = Object.entries(plans).map(([name, [each, options]]) => [name, printManifests(each, manifests(each, options))] as const);

  it.each(printed)("for %s is valid", (_name, text) => {
    validate(parsed(text));
  });

  it("has no key that Kubernetes does not know", () => {
    expect(compile(printed.flatMap(([, text]) => parsed(text)))).toBe("");
  });

  it("keeps the INI file as it was written", () => {
    const texts = [
      "",
      "a",
      iniText,
      "\n\n[a]\n  b\t = c  \n\n",
      "[a]\r\nb = c\r\n",
      `[a]\nb = ${"long ".repeat(60)}\n`,
      "[a]\nb = \u00e9 \u2028 \u0085\n",
    ];
    for (const text of texts) {
      const [config] = parsed(printManifests(plan, manifests({ ...plan, iniText: text })));
      expect(config).toMatchObject({ data: { "app.ini": text } });
    }
  });

  it("has no secret: what the file refers to comes from a Secret, or from a ConfigMap", () => {
    const text = printed[0]?.[1] ?? "";
    const container = firstContainer(parsed(text));
    expect(container["env"]).toContainEqual({ name: "DB_PASSWORD", valueFrom: { secretKeyRef: { name: "orders", key: "DB_PASSWORD" } } });
    expect(container["env"]).toContainEqual({
      name: "REGION",
      valueFrom: { configMapKeyRef: { name: "orders-environment", key: "REGION", optional: true } },
    });
    expect(text).toContain("kubectl create secret generic orders --from-literal=DB_PASSWORD=…");
  });
});

describe("planted faults", () => {
  const faults: Readonly<Record<string, (text: string) => string>> = {
    "a slip in a key": (text) => text.replace("readinessProbe", "readynessProbe"),
    "a slip in a list": (text) => text.replace("containerPort: 9090", "containerprt: 9090"),
    "a text for a number": (text) => text.replace(/replicas: \d+/, "replicas: many"),
    "a missing selector": (text) =>
      text.replace(/ {2}selector:\n {4}matchLabels:\n {6}app.kubernetes.io\/name: orders\n {2}strategy/, "  strategy"),
    "a bad quantity": (text) => text.replace(/memory: \w+/, "memory: much"),
    "a bad policy": (text) => text.replace("type: RollingUpdate", "type: Rolling"),
    "a number for a text": (text) => text.replace("value: json", "value: 5"),
    "a grace period that is a text": (text) => text.replace(/terminationGracePeriodSeconds: \d+/, "terminationGracePeriodSeconds: 21s"),
    "a probe of nothing": (text) => text.replace(/path: \/health\?type=startup\n\s+port: metrics/, "path: /health"),
    "a misplaced key": (text) => text.replace("automountServiceAccountToken", "automountServiceToken"),
    "an unknown field of a volume": (text) => text.replace("emptyDir: {}", "emptydir: {}"),
    "a budget without a selector's labels": (text) => text.replace(/maxUnavailable: 1\n/, "maxUnavailabl: 1\n"),
  };
  const text = printManifests(plan, manifests(plan));

  it.each(Object.entries(faults))("%s is found by one validator or the other", (_name, plant) => {
    const planted = plant(text);
    expect(planted).not.toBe(text);
    const objects = parsed(planted);
    const findings: string[] = [];
    try {
      validate(objects);
    } catch (error) {
      findings.push((error as Error).message);
    }
    if (findings.length === 0) findings.push(compile(objects));
    expect(findings.join("")).not.toBe("");
  });
});

function firstContainer(objects: readonly Record<string, unknown>[]): Record<string, unknown> {
  const deployment = objects.find(({ kind }) => kind === "Deployment") as {
    spec: { template: { spec: { containers: [Record<string, unknown>] } } };
  };
  return deployment.spec.template.spec.containers[0];
}
