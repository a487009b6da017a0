import { stringify } from "yaml";
import type { DeploymentPlan } from "../deployment-plan.ts";
import type { Manifest } from "./manifest.ts";
import { environmentMapName } from "./manifest.ts";

/** The objects as one YAML stream for `kubectl apply -f -`, under a comment that says what has to be there beside them. */
export function printManifests(plan: DeploymentPlan, objects: readonly Manifest[]): string {
  return [headOf(plan), ...objects.map((object) => printManifest(object))].join("---\n");
}

export function printManifest(object: Manifest): string {
  // `yaml` folds long lines by default, and would fold those of the INI file as well.
  return stringify(object, { lineWidth: 0, blockQuote: "literal" });
}

function headOf({ name, iniPath, environment }: DeploymentPlan): string {
  const required = environment.filter(({ hasDefault }) => !hasDefault);
  const literals = (isSecret: boolean): string =>
    required
      .filter((each) => each.isSecret === isSecret)
      .map((each) => ` --from-literal=${each.name}=…`)
      .join("");
  const secrets = literals(true);
  const variables = literals(false);
  return [
    `# ${name}: derived from ${iniPath} by "tsserve k8s".`,
    ...(secrets + variables === "" ? [] : ["# What the file refers to has to be there first:"]),
    ...(secrets === "" ? [] : [`#   kubectl create secret generic ${name}${secrets}`]),
    ...(variables === "" ? [] : [`#   kubectl create configmap ${environmentMapName(name)}${variables}`]),
    "",
  ].join("\n");
}
