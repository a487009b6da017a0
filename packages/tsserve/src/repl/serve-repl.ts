import type { Socket } from "node:net";
import type { Causes } from "@tsserve/server";
import type { Masker } from "@tsserve/config";
import type { Logger } from "pino";
import { causeText } from "../log-events.ts";
import { startReplSession } from "./repl-session.ts";

const idleMs = 10 * 60_000;

export interface ServedRepl {
  /** Whether the file allows it. */
  readonly isAllowed: boolean;
  /** Who is talked to, in words: `worker 0 (pid 4711)`. */
  readonly who: string;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly log: Logger;
  readonly masker: Masker;
  readonly causes: Causes;
}

/** Whom an operator is, and what they sit at. */
export interface ReplGuest {
  readonly by: string;
  readonly columns: number;
}

/** Lets an operator talk to this process over a connection that came by the control socket. Every line is logged before it runs. */
export function serveRepl(
  socket: Socket,
  { by, columns }: ReplGuest,
  { isAllowed, who, variables, log, masker, causes }: ServedRepl,
): void {
  // Whoever has written all that they had wants to read on.
  socket.allowHalfOpen = true;
  socket.on("error", () => undefined);
  if (!isAllowed) {
    log.warn({ by }, `ctl repl: refused to ${by}: control_repl is off`);
    socket.end(
      `${JSON.stringify({ ok: false, error: `${who}: ctl repl is off; control_repl = true in the server's section allows it` })}\n`,
    );
    return;
  }
  log.warn({ by }, `ctl repl: ${by} begins`);
  socket.write(`${JSON.stringify({ ok: true, message: `${who}: ${Object.keys(variables).join(", ")}` })}\n`);
  const session = startReplSession(socket, {
    variables,
    columns,
    idleMs,
    onLine: (line) => log.warn({ by }, `ctl repl: > ${masker.mask(line)}`),
    onEnd: () => log.warn({ by }, `ctl repl: ${by} is gone`),
  });
  void causes.first.then((cause) => session.end(`${who} leaves (${causeText(cause)}): the REPL ends`));
}
