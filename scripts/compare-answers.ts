// Asks two servers of one app the same, and tells where their answers differ:
//   node --import tsx scripts/compare-answers.ts http://127.0.0.1:3000 http://127.0.0.1:9090 requests.json [header | /pattern/ …]
// The list: [{"method": "GET", "path": "/", "headers": {}, "body": ""}, …]. Headers named at the end are not compared, nor is what a
// pattern matches; dates, ports, random ids and values of cookies never are. The requests go one after the other, each on a connection of its own, first to the one, then to the other.
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { pathToFileURL } from "node:url";
import { answerDifferences, type Answer, type AskedRequest, type Tolerance } from "./answer-differences.ts";

const answerWithinMs = 10_000;

/** What no two runs have in common. */
const always: Tolerance = {
  headers: new Set(["date"]),
  masks: [
    /(?:127\.0\.0\.1|localhost):\d+/g,
    /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi,
    /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z/g,
  ],
};

/** @returns how many of the requests were answered differently */
async function compareAnswers(
  [first, second]: readonly [string, string],
  requests: readonly AskedRequest[],
  tolerance: Tolerance,
  print: (line: string) => void,
): Promise<number> {
  let differing = 0;
  for (const each of requests) {
    const differences = answerDifferences(await ask(first, each), await ask(second, each), tolerance);
    if (differences.length === 0) continue;
    differing += 1;
    print(`${each.method} ${each.path}`);
    for (const line of differences) print(`  ${line}`);
  }
  return differing;
}

function ask(base: string, { method, path, headers = {}, body }: AskedRequest): Promise<Answer> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve) => {
    const fail = (error: string): void => resolve({ status: 0, statusMessage: "", rawHeaders: [], body: "", isWhole: false, error });
    const outgoing = request({ hostname, port, method, path, headers, agent: false }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("error", () => undefined);
      incoming.on("close", () => {
        const { statusCode = 0, statusMessage = "", rawHeaders, complete } = incoming;
        resolve({
          status: statusCode,
          statusMessage,
          rawHeaders,
          body: Buffer.concat(chunks).toString("latin1"),
          isWhole: complete,
        });
      });
    });
    outgoing.on("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
    outgoing.setTimeout(answerWithinMs, () => outgoing.destroy(Object.assign(new Error("no answer"), { code: "no answer" })));
    outgoing.end(body);
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const [first, second, list, ...ignored] = process.argv.slice(2);
  if (first === undefined || second === undefined || list === undefined) {
    console.error("usage: compare-answers.ts BASE BASE REQUESTS.json [header | /pattern/ …]");
    process.exit(2);
  }
  const requests = JSON.parse(readFileSync(list, "utf8")) as AskedRequest[];
  const isPattern = (text: string): boolean => /^\/.+\/$/.test(text);
  const tolerance: Tolerance = {
    headers: new Set([...always.headers, ...ignored.filter((each) => !isPattern(each)).map((name) => name.toLowerCase())]),
    masks: [...always.masks, ...ignored.filter(isPattern).map((text) => new RegExp(text.slice(1, -1), "g"))],
  };
  const differing = await compareAnswers([first, second], requests, tolerance, (line) => console.log(line));
  console.log(`${requests.length} requests, ${differing} answered differently`);
  process.exitCode = differing === 0 ? 0 : 1;
}
