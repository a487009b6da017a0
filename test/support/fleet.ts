import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { freePort, makeTemporaryFolder, spawnTsserve, until, type SpawnOptions, type TsserveProcess } from "@tsserve/testing";
import { run } from "./run.ts";

/** Says who answers; `/slow`, `/block` and `/die` do what they say. */
export const app = (greeting: string): string => `let requests = 0;
export const makeApp = () => (request, response) => {
  requests += 1;
  if (request.url === "/slow" || request.url === "/block") console.log(request.url + " begins");
  if (request.url === "/slow") setTimeout(() => response.end("slow"), 1500);
  else if (request.url === "/block") for (const end = Date.now() + 30_000; Date.now() < end; );
  else if (request.url === "/die") process.kill(process.pid, "SIGKILL");
  else response.end(JSON.stringify({ greeting: "${greeting}", pid: process.pid, index: process.env.EINHORN_CHILD_INDEX }));
};
`;

export interface FleetStatus {
  generation: number;
  workers: { index: number; generation: number; pid: number; state: string; requests_total: number; active_requests: number }[];
}

/** A master with its workers, as a user has it. */
export interface Fleet extends TsserveProcess {
  readonly folder: string;
  readonly port: number;
  readonly socket: string;
  write(name: string, text: string): void;
  /** Puts other code in its place; gives what was there. */
  replaceApp(source: string): string;
  /** Runs `tsserve ctl`. */
  ctl(...args: string[]): ReturnType<typeof run>;
  /** Asks over the control socket, as `tsserve ctl status` does, without a process for each question. */
  status(): Promise<FleetStatus>;
  /** Waits until so many workers are up, and no others are there. */
  settled(count: number): Promise<FleetStatus>;
}

export interface FleetOptions extends Partial<SpawnOptions> {
  readonly workers?: number;
  readonly server?: string;
  readonly app?: string;
  /** Another working folder than that of its file. */
  readonly startIn?: string;
  /** More of `[app:main]`. */
  readonly more?: string;
  /** More files of its folder, by name. */
  readonly files?: Readonly<Record<string, string>>;
}

export async function serveFleet({
  workers = 2,
  server = "",
  app: source = app("one"),
  more = "",
  files = {},
  startIn,
  ...options
}: FleetOptions = {}): Promise<Fleet> {
  const port = await freePort();
  const folder = makeTemporaryFolder({
    "package.json": '{"type":"module"}',
    "app.js": source,
    "app.ini": `[server:main]\nfactory = tsserve/http\naccess_log = false\ncontrol_socket = ./ctl.sock\n${server}\n[app:main]\nfactory = ./app.js\n${more}\n`,
    ...files,
  });
  const spawned = spawnTsserve({
    ...options,
    args: [
      startIn === undefined ? "app.ini" : `${folder.path}/app.ini`,
      "--bind",
      `127.0.0.1:${port}`,
      "--workers",
      String(workers),
      ...(options.args ?? []),
    ],
    cwd: startIn ?? folder.path,
  });
  const ctl = (...args: string[]): ReturnType<typeof run> => run({}, ["ctl", ...args], { cwd: folder.path });
  const socket = `${folder.path}/ctl.sock`;
  const status = (): Promise<FleetStatus> => askStatus(socket);
  return {
    ...spawned,
    folder: folder.path,
    port,
    socket,
    write: (name, text) => writeFileSync(`${folder.path}/${name}`, text),
    replaceApp: (replacement) => {
      const before = readFileSync(`${folder.path}/app.js`, "utf8");
      writeFileSync(`${folder.path}/app.js`, replacement);
      return before;
    },
    ctl: (...args) => ctl(...args, "--socket", "ctl.sock"),
    status,
    settled: (count) =>
      until(`${count} workers`, async () => {
        const now = await status();
        return now.workers.length === count && now.workers.every(({ state }) => state === "up") ? now : undefined;
      }),
    [Symbol.asyncDispose]: async () => {
      // Workers are in groups of their own: they leave when their master has gone.
      spawned.kill("SIGTERM");
      await spawned.exited(40_000).catch(() => undefined);
      await spawned[Symbol.asyncDispose]();
      folder.remove();
    },
  };
}

export function askStatus(socket: string): Promise<FleetStatus> {
  return new Promise((resolve, reject) => {
    let text = "";
    const connection = connect(socket, () => connection.write('{"command":"status"}\n'));
    connection.setTimeout(30_000, () => connection.destroy(new Error("the master does not answer")));
    connection.setEncoding("utf8");
    connection.on("data", (part: string) => {
      text += part;
      if (!text.includes("\n")) return;
      connection.destroy();
      resolve(JSON.parse(text) as FleetStatus);
    });
    connection.on("error", reject);
    connection.on("close", () => reject(new Error(`the master closed the connection: ${text}`)));
  });
}

/** Waits until so many workers have come up since the start. */
export const up = (fleet: Fleet, count: number): Promise<unknown> =>
  until(`${count} workers up`, () => fleet.logs().filter(({ msg }) => msg.endsWith(" is up")).length >= count);
/** Waits until a worker has a request in progress. */
export const busy = (fleet: Fleet): Promise<unknown> =>
  until("a request to arrive", async () => (await fleet.status()).workers.some(({ active_requests: active }) => active === 1));
export const get = async (fleet: Fleet, path = "/"): Promise<{ greeting: string; pid: number }> =>
  (await (await fetch(`http://127.0.0.1:${fleet.port}${path}`, { headers: { Connection: "close" } })).json()) as {
    greeting: string;
    pid: number;
  };
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};
