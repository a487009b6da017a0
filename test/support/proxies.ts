import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "@tsserve/testing";

export interface Proxy extends AsyncDisposable {
  readonly child: ChildProcess;
  /** What it says, for a test that fails. */
  readonly said: () => string;
}

/** nginx in the foreground, with what stands in its `http` block, in a folder of the test's. */
export function startNginx(folder: string, http: string): Proxy {
  mkdirSync(folder, { recursive: true });
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((each) => `${each}_temp_path ${folder}/${each};`).join("\n");
  const log = join(folder, "error.log");
  const main = `daemon off;\nuser root;\nworker_processes 1;\npid ${folder}/nginx.pid;\nerror_log ${log};\nevents {}\n`;
  writeFileSync(join(folder, "nginx.conf"), `${main}http {\naccess_log off;\n${temporary}\n${http}\n}\n`);
  return started(spawn("/usr/sbin/nginx", ["-e", log, "-c", join(folder, "nginx.conf")], { stdio: ["ignore", "pipe", "pipe"] }), log);
}

/** haproxy in the foreground. */
export function startHaproxy(folder: string, config: string): Proxy {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, "haproxy.cfg");
  writeFileSync(path, config);
  return started(spawn("/usr/sbin/haproxy", ["-db", "-f", path], { stdio: ["ignore", "pipe", "pipe"] }));
}

function started(child: ChildProcess, log?: string): Proxy {
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (part) => (said += String(part)));
  return {
    child,
    said: () => (log === undefined ? said : `${said}${textOf(log)}`),
    [Symbol.asyncDispose]: async () => {
      // At once, with its workers: nginx's outlive a master that is killed.
      child.kill("SIGTERM");
      await until("the end of a proxy", () => child.exitCode ?? child.signalCode ?? undefined);
    },
  };
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
