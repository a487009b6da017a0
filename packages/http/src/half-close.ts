import type { Clock } from "@tsserve/server";
import type { Connection } from "./connection.ts";

/** How long a client that has ended its side is taken to wait for its answer, before it is asked. */
const askAfterMs = 2000;
const askAgainMs = 10_000;
const lookMs = 500;

/**
 * A client that ends its side may want its answer (`nc`, a shell's redirection), or be gone: TCP says the same of both until
 * something is sent to it. So it is asked after a while, with the one thing that HTTP/1.1 lets a server say at any time
 * before an answer: `100 Continue`, which a client that did not ask for it passes over (RFC 9110, section 15.2.1). From one
 * that has gone a reset comes back, which an empty write meets; then the app learns of it as ever.
 */
export function watchHalfClosed(connection: Connection, clock: Clock): void {
  const { socket } = connection;
  let nextQuestion = clock.now() + askAfterMs;
  let cancel = clock.after(askAfterMs, look);
  socket.once("close", () => cancel());

  function look(): void {
    if (socket.destroyed || connection.upgrade !== undefined || connection.activeRequests === 0) return;
    if (clock.now() >= nextQuestion) {
      nextQuestion = clock.now() + askAgainMs;
      ask(connection);
    } else {
      socket.write("");
    }
    cancel = clock.after(lookMs, look);
  }
}

function ask(connection: Connection): void {
  const [oldest] = connection.inProgress();
  if (oldest?.response === undefined || oldest.response.headersSent || oldest.refusal !== undefined) {
    // Nothing may be said in the middle of an answer. Where it is silent, TCP's own question finds out, within minutes.
    connection.socket.setKeepAlive(true, 1000);
    return;
  }
  if (oldest.incoming.httpVersionMinor > 0) oldest.response.writeContinue();
}
