// Does a counter ever decrease, and do files pile up? Workers are replaced again and again, killed and gracefully, under load,
// while two scrapers compare each counter with what they saw before.
// node --import tsx benchmarks/replacements.ts [REPLACEMENTS]
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { freePort, load, makeTemporaryFolder, spawnTsserve, until } from "@tsserve/testing";

const replacements = Number(process.argv[2] ?? 1000);
const metrics = await freePort();
const port = await freePort();
const folder = makeTemporaryFolder({
  "app.js": 'exports.makeApp = () => (request, response) => response.end("done");',
  "app.ini": `[server:main]\nfactory = tsserve/http\naccess_log = false\nupgrade = fleet\nmetrics.endpoint = 127.0.0.1:${metrics}\n[app:main]\nfactory = ./app.js\n`,
});
const socket = `${folder.path}/ctl.sock`;
await using server = spawnTsserve({
  args: ["app.ini", "--bind", `127.0.0.1:${port}`, "--workers", "4", "--socket", socket],
  cwd: folder.path,
});
await until("the workers", () => server.logs().filter(({ msg }) => msg.endsWith(" is up")).length === 4);

interface Status {
  readonly workers: readonly { readonly pid: number; readonly state: string }[];
}

/** One line to the master, and its answer. */
const ask = (command: string): Promise<unknown> =>
  new Promise((resolve, reject) => {
    let text = "";
    const client = connect(socket, () => client.write(`{"command":"${command}"}\n`));
    client.on("error", reject);
    client.on("data", (bytes: Buffer) => {
      text += bytes.toString();
      if (!text.endsWith("\n")) return;
      client.destroy();
      resolve(JSON.parse(text));
    });
  });
const settled = (): Promise<Status> =>
  until(
    "four workers",
    async () => {
      const status = (await ask("status")) as Status;
      return status.workers.length === 4 && status.workers.every(({ state }) => state === "up") ? status : undefined;
    },
    { timeoutMs: 60_000 },
  );

const end = new AbortController();
let decreases = 0;
let scrapes = 0;
let cut = 0;
async function watch(): Promise<void> {
  let last = new Map<string, number>();
  while (!end.signal.aborted) {
    const text = await fetch(`http://127.0.0.1:${metrics}/metrics`)
      .then((response) => response.text())
      .catch(() => undefined);
    if (text === undefined) {
      cut += 1;
      continue;
    }
    const now = new Map<string, number>();
    for (const line of text.split("\n")) {
      const space = line.lastIndexOf(" ");
      if (/^\w+(?:_total|_count|_sum|_bucket)\b/.test(line)) now.set(line.slice(0, space), Number(line.slice(space + 1)));
    }
    for (const [series, value] of last) {
      if ((now.get(series) ?? -1) >= value) continue;
      decreases += 1;
      console.log(`${series}: ${value}, then ${now.get(series)}`);
    }
    last = now;
    scrapes += 1;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
const watching = Promise.all([watch(), watch(), load({ port, clients: 2, keepAlive: false, expect: "done", signal: end.signal })]);

let done = 0;
let round = 0;
const filesOf = (): number => {
  const name = readdirSync(tmpdir()).find((each) => each.startsWith(`tsserve-metrics-${server.pid}-`));
  return readdirSync(`${tmpdir()}/${name}`).length;
};
let files = 0;
while (done < replacements) {
  const { workers } = await settled();
  if (round++ % 2 === 0) {
    // Two of the four: the others answer scrapes.
    for (const { pid } of workers.slice(0, 2)) process.kill(pid, "SIGKILL");
    const gone = new Set(workers.slice(0, 2).map(({ pid }) => pid));
    await until("them to have gone", async () => !((await ask("status")) as Status).workers.some(({ pid }) => gone.has(pid)));
    done += 2;
  } else {
    await ask("upgrade");
    done += 4;
  }
  files = Math.max(files, filesOf());
}
await settled();
end.abort();
const [, , served] = await watching;
console.log(
  `${done} replacements, ${scrapes} scrapes by two scrapers, ${served.ok} requests: ${decreases} decreases; ${cut} scrapes cut by a kill; at most ${files} files`,
);
server.kill("SIGTERM");
await server.exited(30_000);
folder.remove();
