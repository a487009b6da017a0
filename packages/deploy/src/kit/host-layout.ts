import type { DeploymentPlan } from "../deployment-plan.ts";
import type { QuoteWord } from "./quote-word.ts";

/** Where a service lives on a host: each release in a folder of its own, `current` a link to the one that runs. */
export interface HostLayout {
  readonly current: string;
  readonly iniFile: string;
  readonly command: string;
  readonly logFolder: string;
  readonly user: string;
  /** Where the server listens behind the proxy of the host: where the file says, `127.0.0.1:PORT` for all interfaces, or the path of a unix socket. */
  readonly bind: string;
  /** What the server then has to believe what the proxy says of clients: a value of `real_ip_from`. */
  readonly proxyPlace: string;
}

/** As a file of a host has it: an IPv6 address in brackets. */
export function addressWithPort(address: string, port: number): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}

export function hostLayout({ name, iniPath, port, address = "127.0.0.1", unixSocket }: DeploymentPlan): HostLayout {
  const current = `/srv/${name}/current`;
  return {
    current,
    iniFile: `${current}/${iniPath}`,
    // Never through npm or a shell: they keep the signals to themselves.
    command: `/usr/bin/env node ${current}/node_modules/tsserve/bin/tsserve.js`,
    logFolder: `/var/log/${name}`,
    user: name,
    bind: unixSocket ?? addressWithPort(address, port),
    // Who connects to an address of its own machine comes from that address.
    proxyPlace: unixSocket !== undefined ? "unix" : address === "127.0.0.1" ? "loopback" : address,
  };
}

/** How long a stop may take at most before a manager may kill: the drain, the stop, and what hooks may take. */
export function stopLimitSeconds({ drainSeconds, stopSeconds }: DeploymentPlan): number {
  return Math.ceil(drainSeconds + stopSeconds) + 5;
}

/** Names of the variables that the process does not start without. */
export function requiredVariables({ environment }: DeploymentPlan): string[] {
  return environment.filter(({ hasDefault }) => !hasDefault).map(({ name }) => name);
}

/** The options that choose the sections, where they are not `main`. */
export function sectionOptions({ serverName, appName }: DeploymentPlan, quote: QuoteWord): string {
  return `${serverName === "main" ? "" : ` --server-name ${quote(serverName)}`}${appName === "main" ? "" : ` --app-name ${quote(appName)}`}`;
}
