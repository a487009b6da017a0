import { connect } from "node:net";
import type { FleetStatus } from "../fleet-table.ts";

const answerTimeoutMs = 10_000;

export interface Answer extends Partial<FleetStatus> {
  readonly ok: boolean;
  readonly error?: string;
  readonly message?: string;
  /** Of a profile. */
  readonly path?: string;
  readonly bytes?: number;
  readonly worker?: number;
  /** Of a history. */
  readonly points?: readonly object[];
}

export type Message = Readonly<Record<string, unknown>>;

/** Nobody answers in time: the event loop there is stuck, as a rule. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
}

/**
 * Sends one command over a control socket, and gives its answer.
 *
 * @param withinMs how long it is waited for; 0: as long as the connection is there
 * @throws {NoAnswer} @throws {Error} with the reason in words
 */
export function ask(path: string, message: Message, withinMs: number = answerTimeoutMs): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(path);
    const fail = (reason: string): void => {
      socket.destroy();
      reject(new Error(`${path}: ${reason}`));
    };
    const onTimeout = (): void => {
      socket.destroy();
      reject(new NoAnswer(`${path}: no answer within ${withinMs / 1000} s`));
    };
    if (withinMs > 0) socket.setTimeout(withinMs, onTimeout);
    socket.setEncoding("utf8");
    socket.once("error", (error: NodeJS.ErrnoException) => fail(socketReasons[error.code ?? ""] ?? error.message));
    socket.once("end", () => fail("the server closed the connection without an answer"));
    socket.on("data", (part: string) => {
      text += part;
      if (!text.includes("\n")) return;
      socket.destroy();
      try {
        const answer = JSON.parse(text) as Answer;
        if (answer.ok) resolve(answer);
        else reject(new Error(answer.error ?? "the server refused"));
      } catch {
        reject(new Error(`${path}: what answers is no server of tsserve`));
      }
    });
    socket.write(`${JSON.stringify(message)}\n`);
  });
}

export const socketReasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such socket: is the master running?",
  ECONNREFUSED: "nobody listens there: the master has ended without removing its socket",
  EACCES: "permission denied: the socket is for the user that the master runs as",
  ENOTSOCK: "the file is no socket",
};
