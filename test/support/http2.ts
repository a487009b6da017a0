import { once } from "node:events";
import { connect, constants, type ClientHttp2Session, type IncomingHttpHeaders, type SecureClientSessionOptions } from "node:http2";
import { connect as connectPlain, type Socket } from "node:net";
import { until } from "@tsserve/testing";
import { pem } from "./tls.ts";

/** A session with a server of ours, over TLS where its URL says so. What goes wrong with it is told by its streams. */
export async function openSession(url: string, options: SecureClientSessionOptions = {}): Promise<ClientHttp2Session> {
  const session = connect(url.replace("127.0.0.1", "localhost"), { ca: pem("ca"), ...options });
  session.on("error", () => undefined);
  await once(session, "remoteSettings");
  return session;
}

export interface StreamAnswer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly trailers: IncomingHttpHeaders;
  /** Heads of interim answers. */
  readonly interim: readonly IncomingHttpHeaders[];
  /** With which the stream was closed: 0 where all is well. */
  readonly code: number;
}

/** One request on a session, and what became of it; it never rejects. */
export function ask(
  session: ClientHttp2Session,
  path: string,
  {
    headers = {},
    body,
    onOpen,
    atEnd = false,
  }: {
    headers?: Record<string, string | string[]>;
    body?: Buffer | string;
    onOpen?: (stream: ReturnType<ClientHttp2Session["request"]>) => void;
    /** Not until the stream has closed: Node's client never does, where the server does not want the rest of its body. */
    atEnd?: boolean;
  } = {},
): Promise<StreamAnswer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let head: IncomingHttpHeaders = {};
    let trailers: IncomingHttpHeaders = {};
    const interim: IncomingHttpHeaders[] = [];
    let stream: ReturnType<ClientHttp2Session["request"]>;
    try {
      stream = session.request(
        { ":path": path, ":method": body === undefined ? "GET" : "POST", ...headers },
        { endStream: body === undefined && onOpen === undefined },
      );
    } catch {
      // The session has gone, or is going: nothing was sent.
      resolve({ status: undefined, headers: {}, body: "", trailers, interim, code: constants.NGHTTP2_REFUSED_STREAM });
      return;
    }
    stream.on("headers", (more) => interim.push(more));
    stream.on("response", (found) => (head = found));
    stream.on("trailers", (found) => (trailers = found));
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", () => undefined);
    stream.once(atEnd ? "end" : "close", () => {
      // Without an id it has not been sent.
      const code = stream.id === undefined ? constants.NGHTTP2_REFUSED_STREAM : (stream.rstCode ?? 0);
      resolve({
        status: head[":status"] as number | undefined,
        headers: head,
        body: Buffer.concat(chunks).toString(),
        trailers,
        interim,
        code,
      });
    });
    onOpen?.(stream);
    if (body !== undefined) stream.end(body);
  });
}

const types = { data: 0, headers: 1, priority: 2, reset: 3, settings: 4, push: 5, ping: 6, goaway: 7, window: 8, continuation: 9 } as const;

/** A frame as it is on the wire (RFC 9113, section 4.1). */
export function frame(type: keyof typeof types, flags: number, stream: number, payload: Buffer | string = ""): Buffer {
  const bytes = Buffer.from(payload);
  const head = Buffer.alloc(9);
  head.writeUIntBE(bytes.length, 0, 3);
  head[3] = types[type];
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, bytes]);
}

export const clientPreface: Buffer = Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame("settings", 0, 0)]);

/** A header block without compression (RFC 7541, section 6.2.2). */
export function block(headers: Readonly<Record<string, string>>): Buffer {
  const text = (value: string): Buffer => Buffer.concat([length(value.length), Buffer.from(value, "latin1")]);
  return Buffer.concat(Object.entries(headers).map(([name, value]) => Buffer.concat([Buffer.from([0]), text(name), text(value)])));
}

function length(n: number): Buffer {
  if (n < 127) return Buffer.from([n]);
  const bytes = [127];
  let rest = n - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

export const getBlock: Buffer = block({ ":method": "GET", ":scheme": "http", ":authority": "localhost", ":path": "/" });

/** A client that speaks in bytes. */
export interface RawHttp2 {
  readonly socket: Socket;
  send(...parts: readonly (Buffer | string)[]): void;
  /** All frames that have come, by type and stream, with their payload. */
  frames(): { readonly type: number; readonly flags: number; readonly stream: number; readonly payload: Buffer }[];
  /** Resolves when the server has closed the connection. */
  closed(): Promise<void>;
}

export function openRawHttp2(url: string): RawHttp2 {
  const socket = connectPlain(Number(new URL(url).port), "127.0.0.1");
  let bytes = Buffer.alloc(0);
  let isClosed = false;
  socket.on("data", (chunk) => (bytes = Buffer.concat([bytes, chunk])));
  socket.on("error", () => (isClosed = true));
  socket.on("end", () => (isClosed = true));
  socket.on("close", () => (isClosed = true));
  return {
    socket,
    send: (...parts) => {
      for (const part of parts) if (!socket.destroyed) socket.write(part);
    },
    frames: () => {
      const found = [];
      for (let at = 0; at + 9 <= bytes.length;) {
        const size = bytes.readUIntBE(at, 3);
        if (at + 9 + size > bytes.length) break;
        found.push({
          type: bytes[at + 3] as number,
          flags: bytes[at + 4] as number,
          stream: bytes.readUInt32BE(at + 5),
          payload: bytes.subarray(at + 9, at + 9 + size),
        });
        at += 9 + size;
      }
      return found;
    },
    closed: () => until("the connection to be closed", () => (isClosed ? true : undefined)).then(() => undefined),
  };
}

/** The error codes of the GOAWAY frames that have come. */
export function goaways(client: RawHttp2): { readonly last: number; readonly code: number }[] {
  return client
    .frames()
    .filter(({ type }) => type === types.goaway)
    .map(({ payload }) => ({ last: payload.readUInt32BE(0), code: payload.readUInt32BE(4) }));
}

export interface StreamLoad {
  /** Ids of requests that were answered whole. */
  readonly answered: string[];
  /** Of those that the server did not take: they may be sent again. */
  readonly refused: string[];
  /** Of those on connections that the server never took: they waited in the system's queue when the listener closed. */
  readonly unreached: string[];
  /** Everything else, with the code. */
  readonly failed: string[];
}

/** Asks over several sessions, so many requests at once on each, and opens new sessions as the server ends them, until the signal. */
export async function loadHttp2({
  url,
  sessions = 4,
  streams = 16,
  path = (id: string) => `/users/1?id=${id}&ms=5`,
  signal,
}: {
  readonly url: string;
  readonly sessions?: number;
  readonly streams?: number;
  readonly path?: (id: string) => string;
  readonly signal: AbortSignal;
}): Promise<StreamLoad> {
  const result: StreamLoad = { answered: [], refused: [], unreached: [], failed: [] };
  let last = 0;
  const one = async (session: ClientHttp2Session, isServed: () => boolean): Promise<void> => {
    while (!signal.aborted && !session.closed && !session.destroyed) {
      const id = `r${(last += 1)}`;
      const { status, code, body } = await ask(session, path(id));
      if (status === 200 && code === constants.NGHTTP2_NO_ERROR && body !== "") result.answered.push(id);
      else if (code === constants.NGHTTP2_REFUSED_STREAM && status === undefined) result.refused.push(id);
      else if (!isServed()) result.unreached.push(id);
      else result.failed.push(`${id}: status ${status}, code ${code}`);
    }
  };
  const client = async (): Promise<void> => {
    while (!signal.aborted) {
      const session = connect(url.replace("127.0.0.1", "localhost"), { ca: pem("ca") });
      let isOpen = false;
      let isServed = false;
      session.once("remoteSettings", () => (isServed = true));
      session.on("error", () => undefined);
      session.once("connect", () => (isOpen = true));
      await Promise.race([once(session, "connect"), once(session, "close")]).catch(() => undefined);
      if (!isOpen) return;
      await Promise.all(Array.from({ length: streams }, () => one(session, () => isServed)));
      session.close();
    }
  };
  await Promise.all(Array.from({ length: sessions }, client));
  return result;
}
