import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { ActiveRequests } from "@tsserve/server";
import { nobodyTunnels, type Refusal } from "./refusal.ts";
import { connectionKey, type Connection, type TrackedSocket } from "./connection.ts";
import type { Connections } from "./connections.ts";
import { HttpRequest } from "./http-request.ts";

export interface UpgradeTracking {
  readonly requests: ActiveRequests;
  readonly connections: Connections;
  readonly checkHead: (incoming: IncomingMessage) => Refusal | undefined;
  /** Called when something other than a switch of protocols, or nothing, can be said. */
  readonly refuse: (connection: Connection, refusal: Refusal, id: string) => void;
  /** Settles which id a request has. */
  readonly identify: ((request: HttpRequest) => void) | undefined;
  /** Called when the app has answered. */
  readonly onAnswer?: ((request: HttpRequest, answeredAt: number) => void) | undefined;
  /** Called when the connection has ended. */
  readonly onEnd?: ((request: HttpRequest, endedAt: number) => void) | undefined;
}

/** Takes in a request to make the connection another protocol's: `handOver` gives it to the app. */
export type TakeUpgrade = (incoming: IncomingMessage, socket: Duplex, handOver: (() => void) | undefined) => void;

/** Connections that become another protocol's (WebSocket, a tunnel) count as requests in progress until they close. */
export function makeTakeUpgrade({ requests, connections, checkHead, refuse, identify, onAnswer, onEnd }: UpgradeTracking): TakeUpgrade {
  return (incoming, duplex, handOver) => {
    const socket = duplex as TrackedSocket;
    // Node has taken its own listener away; an error that nobody listens for would end the process.
    socket.on("error", () => undefined);
    const connection = socket[connectionKey];
    if (connection === undefined) {
      handOver?.();
      return;
    }
    // The last answer is on its way, and this request came behind it.
    if (connection.isClosing) {
      socket.resume();
      return;
    }
    const request = new HttpRequest(incoming, undefined, connection, performance.now());
    identify?.(request);
    const refusal = checkHead(incoming) ?? (handOver === undefined ? nobodyTunnels : undefined);
    // From here on, Node reads no further requests.
    connections.whenAnswered(connection, () => {
      if (refusal !== undefined) {
        refuse(connection, refusal, request.id);
        return;
      }
      connection.upgrade = request;
      connections.requestBegins(connection);
      connections.openUpgrades += 1;
      requests.add(request);
      // What Node set for the time between two requests.
      socket.setTimeout(0);
      onFirstWrite(socket, (text) => {
        request.switchStatus = statusOf(text);
        onAnswer?.(request, performance.now());
        // Its handshake was not over when the others were told.
        if (connections.stopping) setImmediate(() => connections.goAway(connection));
      });
      socket.once("close", () => {
        request.isOver = true;
        connections.openUpgrades -= 1;
        requests.delete(request);
        if (request.switchStatus === undefined) connections.unanswered(request);
        onEnd?.(request, performance.now());
      });
      handOver?.();
    });
  };
}

/** The status of an answer that the app writes to the socket by itself. */
function statusOf(text: string): number | undefined {
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1];
  return status === undefined ? undefined : Number(status);
}

/** Looks at the first bytes that are written, whichever way, and then no more. */
function onFirstWrite(socket: TrackedSocket, look: (text: string) => void): void {
  const own = socket as { write?: unknown; end?: unknown };
  const first = (chunk: unknown): void => {
    delete own.write;
    delete own.end;
    if (typeof chunk === "string" || chunk instanceof Uint8Array) look(Buffer.from(chunk as string).toString("latin1", 0, 16));
  };
  const { write, end } = socket;
  own.write = function (this: TrackedSocket, ...values: Parameters<typeof write>): boolean {
    first(values[0]);
    return write.apply(this, values);
  };
  own.end = function (this: TrackedSocket, ...values: Parameters<typeof end>): TrackedSocket {
    first(values[0]);
    return end.apply(this, values);
  };
}

/** Node asks only whether anybody listens: what no app means by it (RFC 9113 did away with `h2c`) is a plain request. */
export function isNoUpgrade({ method, headers }: IncomingMessage): boolean {
  if (method === "CONNECT") return false;
  const protocols = (headers.upgrade ?? "").split(",").map((each) => each.trim().toLowerCase());
  return protocols.every((protocol) => protocol === "" || protocol === "h2c" || protocol.startsWith("tls/"));
}
