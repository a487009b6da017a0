import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { exitCodes, signalExitCode } from "@tsserve/server";
import type { Host } from "../host.ts";
import { nodeArguments } from "../node-arguments.ts";
import { UsageError, type OptionValues } from "../options.ts";
import { childVariable, type ReloadMessage } from "./child.ts";
import { watchFiles } from "./watch-files.ts";

const killAfterMs = 3000;

/**
 * Runs the app in a child process and replaces it when a file changes. The new one builds its app
 * first; the old one serves on until then, and for good when the new one can't.
 */
export async function superviseReload(host: Host, [file]: readonly string[], values: OptionValues): Promise<number> {
  if (file === undefined) throw new UsageError("expected a configuration file: tsserve CONFIG.ini");
  const say = (text: string): void => host.printError(`reload: ${text}`);
  say("watching for changes; this is for development, never for production: requests are cut at each restart");
  const children = new Children(host, say);
  const folder = projectFolder(dirname(resolve(host.cwd, file)));
  const envFolder = values["env-file"] === undefined ? folder : dirname(resolve(host.cwd, values["env-file"]));
  const folders = envFolder === folder || envFolder.startsWith(`${folder}/`) ? [folder] : [folder, envFolder];
  const unwatch = folders.map((each) => watchFiles(each, (path) => children.replace(`${path} changed`)));
  children.replace("starting");
  const cause = await host.causes.first;
  for (const each of unwatch) each();
  host.causes.onLater((later) => {
    if (later.kind === "signal") host.exit(signalExitCode(later.signal));
  });
  await children.stop();
  return cause.kind === "signal" ? exitCodes.stopped : exitCodes.lost;
}

/** The nearest folder above the INI file that has a package.json: sources may lie beside it. Else the file's own. */
function projectFolder(folder: string): string {
  for (let each = folder; dirname(each) !== each; each = dirname(each)) {
    if (existsSync(join(each, "package.json"))) return each;
  }
  return folder;
}

/** The child that serves, and the one that may take its place. */
class Children {
  readonly #host: Host;
  readonly #say: (text: string) => void;
  #serving: ChildProcess | undefined;
  #building: ChildProcess | undefined;

  constructor(host: Host, say: (text: string) => void) {
    this.#host = host;
    this.#say = say;
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
    child.on("message", (message: ReloadMessage) => {
      if (message.type === "built" && this.#building === child) void this.#promote(child);
    });
    child.once("exit", (code) => this.#exited(child, code));
  }

  async #promote(child: ChildProcess): Promise<void> {
    this.#building = undefined;
    const old = this.#serving;
    this.#serving = child;
    if (old !== undefined) await end(old);
    const message: ReloadMessage = { type: "serve" };
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
