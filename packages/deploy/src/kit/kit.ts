import type { DeploymentPlan } from "../deployment-plan.ts";
import { circusFile } from "./circus.ts";
import { dockerFiles } from "./docker.ts";
import { logrotateFile } from "./logrotate.ts";
import { nginxFile } from "./nginx.ts";
import { supervisorFile } from "./supervisor.ts";
import { systemdFiles } from "./systemd.ts";

/** Files by their names, each commented and derived from the plan. */
export type KitFiles = ReadonlyMap<string, string>;

/** What `tsserve kit` can make. */
export const kits: Readonly<Record<KitName, (plan: DeploymentPlan) => KitFiles>> = {
  docker: dockerFiles,
  systemd: systemdFiles,
  supervisor: supervisorFile,
  circus: circusFile,
  nginx: nginxFile,
  logrotate: logrotateFile,
};

export type KitName = "docker" | "systemd" | "supervisor" | "circus" | "nginx" | "logrotate";

export function isKitName(name: string): name is KitName {
  return Object.hasOwn(kits, name);
}
