import { connect, type Socket } from "node:net";
import type { ReadStream, WriteStream } from "node:tty";
import { exitCodes } from "@tsserve/server";
import type { Host } from "../host.ts";
import type { OptionValues } from "../options.ts";
import { UsageError } from "../usage-error.ts";
import { endOfSession } from "../repl/repl-session.ts";
import { socketReasons } from "./ask.ts";
import { askedBy } from "./profile.ts";

const answerWithinMs = 10_000;

/** @throws {UsageError} */
export function readReplArguments(rest: readonly string[], { worker }: OptionValues): { readonly worker: number | undefined } {
  if (rest.length > 0) throw new UsageError(`expected tsserve ctl repl, found "${rest[0]}"`);
  if (worker === undefined) return { worker: undefined };
  if (!/^\d{1,4}$/.test(worker)) throw new UsageError(`--worker: expected the number of a worker, from 0 on, found "${worker}"`);
  return { worker: Number(worker) };
}

/**
 * Talks to a worker: what is typed, or comes by a pipe, runs there. On a terminal the worker edits the line, so that keys go there
 * as they are.
 */
export async function talk(host: Host, path: string, { worker }: { readonly worker: number | undefined }): Promise<number> {
  const { stdin, stdout } = host.terminal;
  const isTerminal = stdin.isTTY === true && stdout.isTTY === true;
  const { socket, rest, message } = await openSession(path, {
    command: "repl",
    worker,
    by: askedBy(host),
    columns: isTerminal ? (stdout.columns > 0 ? stdout.columns : 80) : 0,
  });
  if (isTerminal) host.print(`${message}; .exit or Ctrl-D leaves`);
  if (isTerminal) stdin.setRawMode(true);
  void host.causes.first.then(() => socket.destroy());
  try {
    return (await exchange(socket, rest, stdin, stdout)) ? exitCodes.stopped : lost(host);
  } finally {
    if (isTerminal) stdin.setRawMode(false);
    stdin.destroy();
  }
}

function lost(host: Host): number {
  if (host.causes.earliest === undefined) host.printError("the worker has gone, and the REPL with it");
  return 1;
}

interface Session {
  readonly socket: Socket;
  /** What came after the answer. */
  readonly rest: string;
  readonly message: string;
}

function openSession(path: string, message: object): Promise<Session> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true });
    let text = "";
    const fail = (reason: string): void => {
      socket.destroy();
      reject(new Error(reason));
    };
    socket.setEncoding("utf8");
    socket.setTimeout(answerWithinMs, () =>
      fail(
        `${path}: no answer within ${answerWithinMs / 1000} s: its event loop is stuck, or loads something (tsserve ctl profile cpu tells)`,
      ),
    );
    socket.once("error", (error: NodeJS.ErrnoException) => fail(`${path}: ${socketReasons[error.code ?? ""] ?? error.message}`));
    socket.once("end", () => fail(`${path}: the server closed the connection without an answer`));
    const onData = (part: string): void => {
      text += part;
      const at = text.indexOf("\n");
      if (at === -1) return;
      socket.off("data", onData).removeAllListeners("end").pause();
      socket.setTimeout(0);
      const answer = JSON.parse(text.slice(0, at)) as { ok: boolean; error?: string; message?: string };
      if (answer.ok) resolve({ socket, rest: text.slice(at + 1), message: answer.message ?? "" });
      else fail(answer.error ?? "refused");
    };
    socket.on("data", onData);
    socket.write(`${JSON.stringify(message)}\n`);
  });
}

/** Passes bytes both ways until the session ends; whether it came to an end of its own. */
function exchange(socket: Socket, rest: string, stdin: ReadStream, stdout: WriteStream): Promise<boolean> {
  return new Promise((resolve) => {
    let isOver = false;
    const show = (text: string): void => {
      isOver ||= text.includes(endOfSession);
      stdout.write(text.replaceAll(endOfSession, ""));
    };
    show(rest);
    socket.on("data", show);
    socket.on("error", () => undefined);
    socket.on("end", () => socket.end());
    socket.on("close", () => resolve(isOver));
    stdin.on("data", (bytes: Buffer) => socket.write(bytes));
    stdin.on("end", () => socket.end());
    socket.resume();
  });
}
