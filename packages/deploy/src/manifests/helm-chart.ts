import { stringify } from "yaml";
import type { DeploymentPlan, ManifestOptions } from "../deployment-plan.ts";
import { resourcesOf } from "./container.ts";
import { checksumOf, defaultReplicas } from "./deployment.ts";
import type { Manifest } from "./manifest.ts";
import { manifests } from "./manifests.ts";
import { printManifest } from "./print-manifests.ts";

/** Stands in the objects where the chart has a value; no image, number or text of a user contains it. */
const mark = (name: string): string => `TSSERVE-VALUE-${name}-`;

/**
 * A Helm chart whose defaults give what `tsserve k8s` prints: files by their path from the chart's folder. Only what
 * people change is a value: image, replicas, resources, further variables, the INI file.
 */
export function helmChart(plan: DeploymentPlan, options: ManifestOptions = {}): ReadonlyMap<string, string> {
  const image = options.image ?? `${plan.name}:latest`;
  const replicas = options.replicas ?? defaultReplicas;
  const marked = manifests(plan, { ...options, image: mark("image") });
  return new Map([
    [
      "Chart.yaml",
      stringify({
        apiVersion: "v2",
        name: plan.name,
        description: `${plan.name}, served by tsserve`,
        type: "application",
        version: "0.1.0",
      }),
    ],
    [
      "values.yaml",
      stringify({ image, replicas, resources: resourcesOf(plan), env: [], ini: plan.iniText }, { lineWidth: 0, blockQuote: "literal" }),
    ],
    ...marked.map((object): [string, string] => [`templates/${fileNameOf(object)}`, templateOf(object, plan)]),
  ]);
}

function fileNameOf({ kind }: Manifest): string {
  return `${kind.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "-").toLowerCase()}.yaml`;
}

function templateOf(object: Manifest, plan: DeploymentPlan): string {
  const text = escapeActions(printManifest(object.kind === "ConfigMap" ? withoutText(object) : object));
  return (
    text
      // A JSON text is a YAML one, whatever lines, blanks and signs it holds.
      .replace(mark("ini"), "{{ .Values.ini | toJson }}")
      .replace(mark("image"), "{{ .Values.image | quote }}")
      .replace(`checksum/config: ${checksumOf(plan.iniText)}`, "checksum/config: {{ .Values.ini | sha256sum }}")
      .replace(/^( +)replicas: \d+$/m, "$1replicas: {{ .Values.replicas }}")
      .replace(/^( +)minReplicas: \d+$/m, "$1minReplicas: {{ .Values.replicas }}")
      .replace(/^( +)resources:\n(?:\1 +.*\n)+/m, "$1resources:\n{{ toYaml .Values.resources | indent 12 }}\n")
      .replace(/^( +)env:\n((?:\1 +.*\n)+)/m, "$1env:\n$2{{- with .Values.env }}\n{{ toYaml . | indent 12 }}\n{{- end }}\n")
  );
}

function withoutText(object: Manifest): Manifest {
  return { ...object, data: { "app.ini": mark("ini") } };
}

/** What Helm would take for an action of its own is handed through as text. */
function escapeActions(text: string): string {
  return text.replaceAll("{{", '{{ "{{" }}');
}
