import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { exitCodes, signalExitCode } from "@tsserve/server";
import type { Host } from "../host.ts";
import { nodeArguments } from "../node-arguments.ts";
import { projectFolder } from "../project-folder.ts";
import type { OptionValues } from "../options.ts";
import { UsageError } from "../usage-error.ts";
import { ownPermission, refuseWithoutProcesses } from "../refuse-without-processes.ts";
import { readConfiguration } from "../read-configuration.ts";
import { Changes } from "./changes.ts";
import { childVariable, type ChildMessage, type SupervisorMessage } from "./child.ts";
import { linkedPackages, outermost, watchFiles } from "./watch-files.ts";
import { watchedFiles } from "./watched-files.ts";
import { watcherSettings, type WatcherSettings } from "./watcher-settings.ts";

const killAfterMs = 3000;
/** So many files are named when several changed at once. */
const mostNamed = 3;

/**
 * Runs the app in a child process and replaces it when a file changes. The new one builds its app
 * first; the old one serves on until then, and for good when the new one can't.
 */
export async function superviseReload(host: Host, positionals: readonly string[], values: OptionValues): Promise<number> {
  const [file] = positionals;
  if (file === undefined) throw new UsageError("expected a configuration file: tsserve CONFIG.ini");
  refuseWithoutProcesses("--reload", ownPermission());
  const say = (text: string): void => host.printError(`reload: ${text}`);
  say("watching for changes; this is for development, never for production: requests are cut at each restart");
  const iniFolder = dirname(resolve(host.cwd, file));
  const root = projectFolder(iniFolder);
  const envFolder = values["env-file"] === undefined ? root : dirname(resolve(host.cwd, values["env-file"]));
  const files = watchedFiles(root, iniFolder, await settingsOf(host, positionals, values));
  const changes = new Changes({ read: contentOf, isSource: files.isSource, now: () => performance.now() });
  const children = new Children(host, say, (path) => changes.wrote(path));
  const unwatch = watchFiles(outermost([root, envFolder, ...linkedPackages(root)]), files, (paths) => {
    const verdicts = paths.map((path) => ({ path: relative(root, path), verdict: changes.judge(path) }));
    for (const { path } of verdicts.filter(({ verdict }) => verdict === "ignored from now on"))
      say(`the app writes ${path} anew at each start: that no longer restarts it; watcher.ignored_dirs leaves a folder out`);
    const changed = verdicts.filter(({ verdict }) => verdict === "restart").map(({ path }) => path);
    if (changed.length > 0) children.replace(`${changed.slice(0, mostNamed).join(", ")}${changed.length > mostNamed ? ", …" : ""} changed`);
  });
  children.replace("starting");
  const cause = await host.causes.first;
  unwatch();
  host.causes.onLater((later) => {
    if (later.kind === "signal") host.exit(signalExitCode(later.signal));
  });
  await children.stop();
  return cause.kind === "signal" ? exitCodes.stopped : exitCodes.lost;
}

/** A file that is wrong is for the child to tell of; until it is right, the defaults do. */
async function settingsOf(host: Host, positionals: readonly string[], values: OptionValues): Promise<WatcherSettings> {
  try {
    return watcherSettings((await readConfiguration(host, positionals, values)).server.values);
  } catch {
    return watcherSettings({});
  }
}

function contentOf(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

/** The child that serves, and the one that may take its place. */
class Children {
  readonly #host: Host;
  readonly #say: (text: string) => void;
  readonly #wrote: (path: string) => void;
  #serving: ChildProcess | undefined;
  #building: ChildProcess | undefined;

  constructor(host: Host, say: (text: string) => void, wrote: (path: string) => void) {
    this.#host = host;
    this.#say = say;
    this.#wrote = wrote;
  }

  /** A change during a build makes that build worthless: a new one takes its place. */
  replace(reason: string): void {
    this.#say(reason);
    this.#building?.kill("SIGKILL");
    const child = fork(process.argv[1] ?? "", this.#host.args, {
      env: { ...this.#host.env, [childVariable]: "1" },
      execArgv: nodeArguments(process.execArgv, this.#host.env["NODE_OPTIONS"]),
    });
    this.#building = child;
    child.on("message", (message: ChildMessage) => {
      if (message.type === "wrote") this.#wrote(message.path);
      if (message.type === "built" && this.#building === child) void this.#promote(child);
    });
    child.once("exit", (code) => this.#exited(child, code));
  }

  async #promote(child: ChildProcess): Promise<void> {
    this.#building = undefined;
    const old = this.#serving;
    this.#serving = child;
    if (old !== undefined) await end(old);
    const message: SupervisorMessage = { type: "serve" };
    if (child.connected) child.send(message);
  }

  #exited(child: ChildProcess, code: number | null): void {
    if (child === this.#building) {
      this.#building = undefined;
      this.#say(
        this.#serving === undefined
          ? "the app does not start; waiting for a change"
          : "the new version does not start; the last good one serves on",
      );
    } else if (child === this.#serving) {
      this.#serving = undefined;
      this.#say(`the app ended with exit code ${code}; waiting for a change`);
    }
  }

  async stop(): Promise<void> {
    const running = [this.#serving, this.#building].filter((child) => child !== undefined);
    this.#serving = undefined;
    this.#building = undefined;
    await Promise.all(running.map(end));
  }
}

/** Asks a child to stop, and kills one that does not. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const kill = setTimeout(() => child.kill("SIGKILL"), killAfterMs);
  await exited;
  clearTimeout(kill);
}
