import type { Host } from "./host.ts";
import type { OptionName, OptionValues } from "./options.ts";

/** One command: what it takes, and where it is. Its module is loaded only when it runs. */
export interface Command {
  readonly usage: string;
  readonly summary: string;
  readonly options: readonly OptionName[];
  /** Those that it takes, but that the help does not tell: the variable or the file says it better. */
  readonly unlisted?: readonly OptionName[];
  /** After so many positional arguments, the rest is not for the command to read. */
  readonly ownPositionals?: number;
  load(): Promise<CommandModule>;
}

export interface CommandModule {
  /** Gives the exit code. */
  run(host: Host, positionals: readonly string[], values: OptionValues): Promise<number>;
}

export type CommandName = "serve" | "check" | "routes" | "script" | "shell" | "healthcheck" | "thrift-types" | "ctl" | "k8s" | "kit";

const loading = ["app-name", "server-name", "env-file", "log-level", "log-format", "debug"] as const;

/** What a running server can be told, and what is told with it. */
export const ctlCommands: readonly string[] = [
  "status",
  "upgrade",
  "inc",
  "dec",
  "workers N",
  "signal NAME",
  "reopen",
  "top",
  "history",
  "profile KIND",
  "repl",
  "stop",
];

export const commands: Readonly<Record<CommandName, Command>> = {
  serve: {
    usage: "tsserve [serve] CONFIG.ini [options]",
    summary: "serve the app (the default command)",
    options: ["app-name", "server-name", "bind", "workers", "socket", "reload", "debug", "log-level", "log-format", "env-file"],
    // `control_socket` of the file, or TSSERVE_SOCKET, which `tsserve ctl` reads as well.
    unlisted: ["socket"],
    load: () => import("./commands/serve.ts"),
  },
  check: {
    usage: "tsserve check CONFIG.ini [options]",
    summary: "load and validate everything, bind nothing; print the resolved settings, secrets masked",
    options: [...loading, "schema"],
    load: () => import("./commands/check.ts"),
  },
  routes: {
    usage: "tsserve routes CONFIG.ini [options]",
    summary: "list what the server answers to",
    options: loading,
    load: () => import("./commands/routes.ts"),
  },
  script: {
    usage: "tsserve script CONFIG.ini MODULE:FUNCTION [args…]",
    summary: "run a one-off function with the app's configuration: fn(config, args, context)",
    options: ["job", "push", "require-push", "app-name", "server-name", "env-file", "log-level", "log-format", "debug"],
    ownPositionals: 2,
    load: () => import("./commands/script.ts"),
  },
  shell: {
    usage: "tsserve shell CONFIG.ini [options]",
    summary: "a REPL with app, config and context",
    options: loading,
    load: () => import("./commands/shell.ts"),
  },
  healthcheck: {
    usage: "tsserve healthcheck http|thrift ENDPOINT, or CONFIG.ini [options]",
    summary: "ask a running server how it is, that of the file on this machine; exit 0 when it is well",
    options: ["probe", "timeout", "app-name", "server-name", "env-file", "bind"],
    // Where the server has it from its variable, the check has it, too.
    unlisted: ["bind"],
    load: () => import("./commands/healthcheck.ts"),
  },
  ctl: {
    usage: `tsserve ctl ${ctlCommands.join("|")} [options]`,
    summary: "talk to a running server: how it is, its last hour, upgrade, resize, profile (cpu, heap or snapshot), stop (--now cuts)",
    options: ["socket", "json", "no-wait", "now", "worker", "seconds", "format", "output", "force"],
    load: () => import("./commands/ctl.ts"),
  },
  "thrift-types": {
    usage: "tsserve thrift-types FILE.thrift [options]",
    summary: "write the TypeScript types of a .thrift file to stdout",
    options: ["include", "i64"],
    load: () => import("./commands/thrift-types.ts"),
  },
  k8s: {
    usage: "tsserve k8s CONFIG.ini [options]",
    summary: "print Kubernetes manifests that fit the file",
    options: ["name", "image", "replicas", "hpa", "monitor", "helm", "app-name", "server-name", "env-file"],
    load: () => import("./commands/k8s.ts"),
  },
  kit: {
    usage: "tsserve kit docker|systemd|supervisor|circus|nginx|logrotate CONFIG.ini [options]",
    summary: "print commented files for a deployment, derived from the file",
    options: ["name", "output", "app-name", "server-name", "env-file"],
    load: () => import("./commands/kit.ts"),
  },
};

export function isCommand(name: string): name is CommandName {
  return Object.hasOwn(commands, name);
}
