import { existsSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { WatchdogAnswer, WatchdogRequest } from "@tsserve/master";
import type { Host } from "../host.ts";
import { realPathOf } from "../real-path-of.ts";
import { controlSockets } from "../workers/control-place.ts";
import { stuckFolder } from "../workers/own-worker.ts";
import type { Answer, Message } from "./ask.ts";

const opensWithinMs = 3000;

/**
 * Asks the watchdog thread of a single process whose event loop is stuck: SIGURG has it listen for a moment beside the control
 * socket, in a folder that only the same user may enter.
 *
 * @throws {Error} with the reason in words
 */
export async function askStuck({ env }: Host, socket: string, { kind, seconds, force, by }: Message, withinMs: number): Promise<Answer> {
  const pid = pidOf(socket, env);
  const stuck = `${socket}: the event loop there does not answer`;
  if (pid === undefined) throw new Error(`${stuck}, and its process is not found by its socket`);
  process.kill(pid, "SIGURG");
  const path = `${stuckFolder(realPathOf(socket) ?? socket)}/ctl.sock`;
  const stream = await connectSoon(path);
  if (stream === undefined) throw new Error(`${stuck}, and neither does its watchdog thread`);
  const request: WatchdogRequest = {
    type: "tsserve:profile",
    id: 1,
    kind: kind as WatchdogRequest["kind"],
    ms: Math.round(Number(seconds) * 1000),
    heapsFree: force === true ? 0 : 3,
    by: String(by),
  };
  const answer = await answerOf(stream, request, withinMs);
  if (answer.type === "tsserve:profile-failed") throw new Error(answer.reason);
  return { ok: true, message: `the process (pid ${pid}, stuck)`, worker: 0, pid, path: answer.path, bytes: answer.bytes };
}

/** The process that has made its control socket known by this path, or by a link to it. */
function pidOf(socket: string, env: Host["env"]): number | undefined {
  const real = realPathOf(socket);
  return controlSockets(env).find(({ path }) => realPathOf(path) === real)?.pid;
}

async function connectSoon(path: string): Promise<Socket | undefined> {
  for (const until = performance.now() + opensWithinMs; performance.now() < until; await sleep(20)) {
    if (!existsSync(path)) continue;
    const stream = connect(path);
    const isConnected = await new Promise<boolean>((resolve) => {
      stream.once("connect", () => resolve(true));
      stream.once("error", () => resolve(false));
    });
    if (isConnected) return stream;
  }
  return undefined;
}

function answerOf(stream: Socket, request: WatchdogRequest, withinMs: number): Promise<WatchdogAnswer> {
  return new Promise((resolve, reject) => {
    let text = "";
    stream.setEncoding("utf8");
    stream.setTimeout(withinMs, () => reject(new Error(`no answer within ${withinMs / 1000} s`)));
    stream.on("error", reject);
    stream.on("close", () => reject(new Error("the process ended while it was profiled")));
    stream.on("data", (part: string) => {
      text += part;
      if (!text.includes("\n")) return;
      resolve(JSON.parse(text) as WatchdogAnswer);
      stream.destroy();
    });
    stream.write(`${JSON.stringify(request)}\n`);
  });
}
