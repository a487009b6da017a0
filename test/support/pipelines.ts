import { connect } from "node:net";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { randomOf, type Random } from "./random-idl.ts";
import { serve } from "./serve.ts";

const kinds = ["plain", "express", "fetch", "fastify", "fastify by hand"] as const;
const styles = ["plain", "keep-alive", "close", "throws", "early", "array", "object", "stream"] as const;

interface PipelinedRequest {
  readonly id: string;
  readonly isHead: boolean;
  /** What is sent, and how long to wait before each piece. */
  readonly pieces: readonly { readonly text: string; readonly afterMs: number }[];
}

interface Answer {
  readonly status: number;
  readonly id: string | undefined;
  readonly closes: boolean;
  readonly isWhole: boolean;
}

export interface RoundResult {
  readonly runs: number;
  readonly answers: number;
  readonly counted: number;
  /** What must not be; empty when all is well. */
  readonly violations: readonly string[];
}

/**
 * Random pipelines on random kinds of apps, and a SIGTERM at a random moment: each request that ran has its answer, in its
 * turn, or was counted, and the exit code says so. The same seed gives the same requests; not the same moments.
 */
export async function pipelineRound(seed: number, pipelines: number): Promise<RoundResult> {
  const random = randomOf(seed);
  const kind = kinds[random(kinds.length)] as string;
  const runsFile = join(tmpdir(), `pipelined-${process.pid}-${seed}.txt`);
  const drainMs = [0, 100, 400][random(3)];
  await using server = serve({
    app: "pipelined.js",
    server: { drain_time: `${drainMs} milliseconds`, stop_timeout: "20 seconds", "metrics.enabled": "false" },
    config: { kind, runs: runsFile },
  });
  try {
    const port = Number(new URL(await server.listening()).port);
    const plans = Array.from({ length: pipelines }, (_, number) => planPipeline(random, `${seed}.${number}`));
    const stopAfterMs = 50 + random(600);
    const running = plans.map((plan) => runPipeline(port, plan));
    await sleep(stopAfterMs);
    server.kill();
    const received = await Promise.all(running);
    const { code } = await server.exited(60_000);
    const runs = linesOf(runsFile);
    const counted = server.logs().filter(({ msg }) => /^(?:lost in the stop|cut at the stop deadline)/.test(msg)).length;
    return judge({ kind, plans, received, runs, counted, code, log: server.stdout().slice(-400) });
  } finally {
    rmSync(runsFile, { force: true });
  }
}

interface Plan {
  readonly requests: readonly PipelinedRequest[];
  readonly halfCloses: boolean;
  readonly beginsAfterMs: number;
}

function planPipeline(random: Random, name: string): Plan {
  const requests = Array.from({ length: 1 + random(16) }, (_, number) => planRequest(random, `${name}.${number}`));
  return { requests, halfCloses: random(5) === 0, beginsAfterMs: random(300) };
}

function planRequest(random: Random, id: string): PipelinedRequest {
  const style = styles[random(styles.length)] as string;
  const delay = [0, 0, 1, 20, 150][random(5)];
  const method = ["GET", "GET", "HEAD", "POST", "POST"][random(5)] as string;
  const head = `${method} /?id=${id}&delay=${delay}&style=${style} HTTP/1.1\r\nHost: localhost\r\n`;
  const wait = (): number => [0, 0, 0, 1, 15][random(5)] ?? 0;
  if (method !== "POST") return { id, isHead: method === "HEAD", pieces: [{ text: `${head}\r\n`, afterMs: wait() }] };
  const size = random(3) === 0 ? 20_000 : random(200);
  const body = "x".repeat(size);
  const isChunked = random(2) === 0;
  const expects = random(6) === 0 ? "Expect: 100-continue\r\n" : "";
  const framing = isChunked ? "Transfer-Encoding: chunked" : `Content-Length: ${size}`;
  const middle = random(size + 1);
  const parts = [body.slice(0, middle), body.slice(middle)].filter((part) => part !== "");
  const pieces = parts.map((part) => (isChunked ? `${part.length.toString(16)}\r\n${part}\r\n` : part));
  if (isChunked) pieces.push("0\r\n\r\n");
  return {
    id,
    isHead: false,
    pieces: [`${head}Content-Type: text/plain\r\n${expects}${framing}\r\n\r\n`, ...pieces].map((text) => ({ text, afterMs: wait() })),
  };
}

/** Sends a pipeline, whatever comes back, and gives all that came until the server closed. */
async function runPipeline(port: number, { requests, halfCloses, beginsAfterMs }: Plan): Promise<string> {
  await sleep(beginsAfterMs);
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  let received = "";
  socket.on("data", (chunk) => (received += chunk.toString("latin1")));
  socket.on("error", () => undefined);
  const closed = new Promise<void>((resolve) => socket.once("close", resolve));
  socket.once("end", () => socket.end());
  for (const { text, afterMs } of requests.flatMap(({ pieces }) => pieces)) {
    if (afterMs > 0) await sleep(afterMs);
    if (socket.destroyed || socket.writableEnded) break;
    socket.write(text);
  }
  if (halfCloses) socket.end();
  await closed;
  return received;
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split("\n").filter(Boolean);
  } catch {
    return [];
  }
}

interface Observed {
  readonly kind: string;
  readonly plans: readonly Plan[];
  readonly received: readonly string[];
  readonly runs: readonly string[];
  readonly counted: number;
  readonly code: number | null;
  readonly log: string;
}

function judge({ kind, plans, received, runs, counted, code, log }: Observed): RoundResult {
  const violations: string[] = [];
  const answered = new Set<string>();
  for (const [index, { requests }] of plans.entries()) {
    const answers = answersIn(received[index] ?? "", requests);
    for (const [turn, answer] of answers.entries()) {
      const { id } = requests[turn] as PipelinedRequest;
      if (answer.isWhole) answered.add(id);
      if (answer.id !== undefined && answer.id !== id) violations.push(`the answer of ${answer.id} came in the turn of ${id}`);
      if (answer.closes && turn < answers.length - 1) violations.push(`an answer came after that of ${id}, which said close`);
    }
  }
  const ran = new Set(runs);
  if (ran.size !== runs.length) violations.push("a request ran twice");
  const unanswered = [...ran].filter((id) => !answered.has(id));
  if (unanswered.length !== counted) {
    const evidence = unanswered.slice(0, 1).map((id) => {
      const index = plans.findIndex(({ requests }) => requests.some((request) => request.id === id));
      const plan = plans[index];
      const asked = plan?.requests.map((request) => request.pieces[0]?.text.split("\r\n", 1)[0]).join(" | ");
      return `${id}, ${plan?.halfCloses === true ? "half-closed" : "not half-closed"}: ${asked}\n received ${JSON.stringify(received[index])}`;
    });
    violations.push(`ran and not answered, but counted ${counted}:\n${evidence.join("\n")}\n${log}`);
  }
  if (code !== (counted > 0 ? 1 : 0)) violations.push(`exit code ${code}, counted ${counted}`);
  return { runs: ran.size, answers: answered.size, counted, violations: violations.map((each) => `${kind}: ${each}`) };
}

/** The answers in what came on one connection: the first is that of the first request. */
function answersIn(text: string, requests: readonly PipelinedRequest[]): Answer[] {
  const answers: Answer[] = [];
  let rest = text;
  while (rest !== "" && answers.length < requests.length) {
    const end = rest.indexOf("\r\n\r\n");
    if (end === -1) break;
    const head = rest.slice(0, end);
    rest = rest.slice(end + 4);
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]);
    if (status === 100) continue;
    const { isHead } = requests[answers.length] as PipelinedRequest;
    const body = isHead || status === 204 ? { length: 0, isWhole: true } : bodyLength(head, rest);
    rest = rest.slice(body.length);
    answers.push({
      status,
      id: /^x-id: (.*)$/im.exec(head)?.[1],
      closes: /^connection: close$/im.test(head),
      isWhole: body.isWhole,
    });
  }
  return answers;
}

function bodyLength(head: string, rest: string): { length: number; isWhole: boolean } {
  const declared = /^content-length: (\d+)$/im.exec(head)?.[1];
  if (declared !== undefined) return { length: Number(declared), isWhole: rest.length >= Number(declared) };
  let at = 0;
  for (;;) {
    const size = /^([0-9a-f]+)\r\n/i.exec(rest.slice(at, at + 20));
    if (size === null) return { length: rest.length, isWhole: false };
    const bytes = Number.parseInt(size[1] ?? "", 16);
    at += size[0].length + bytes + 2;
    if (at > rest.length) return { length: rest.length, isWhole: false };
    if (bytes === 0) return { length: at, isWhole: true };
  }
}
