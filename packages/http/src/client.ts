import type { IncomingMessage } from "node:http";
import { isIP, type Socket } from "node:net";
import { addRawHeader, areHeadersRaw, firstHeader, takeRawHeaders } from "./raw-headers.ts";
import { trustedProxies } from "./trusted-proxies.ts";

/** Who sent a request, over what, and to whom: as the proxies in front tell it, where they are believed. */
export interface Client {
  /** An IP address, IPv4 ones without `::ffff:`; `unix` for the peer of a unix socket. */
  readonly address: string;
  readonly scheme: "http" | "https";
  /** What the client asked for, as in `Host`; `undefined` where it named nothing. */
  readonly host: string | undefined;
}

/** Whose word is believed, and in which header. */
export interface ProxySettings {
  /** Of the header with the client's address, in lower case. */
  readonly header: string;
  /** Addresses, networks and their names; empty: nobody. */
  readonly from: readonly string[];
  /** How many proxies stand in front; `undefined`: as many as `from` says. */
  readonly count: number | undefined;
}

/** Whether there is anybody whose word on the client is believed. */
export function believesProxies({ from, count }: ProxySettings): boolean {
  return from.length > 0 || count !== undefined;
}

/** Tells whether the peer of a request is believed: what it says of the client, and of the request. */
export function makePeerTrust(settings: ProxySettings): (incoming: IncomingMessage) => boolean {
  if (!believesProxies(settings)) return () => false;
  if (settings.from.length === 0) return () => true;
  const trusts = remembering(trustedProxies(settings.from));
  return (incoming) => {
    const address = peerAddress(socketOf(incoming));
    return trusts(address === "unix" ? undefined : address);
  };
}

/** Under which a socket keeps its peer's address, as it is shown to apps. */
const shownKey: unique symbol = Symbol("tsserve.shown");

interface ShownSocket extends Socket {
  [shownKey]?: string;
}

const clientKey: unique symbol = Symbol("tsserve.client");
const socketKey: unique symbol = Symbol("tsserve.socket");

interface ResolvedMessage extends IncomingMessage {
  [clientKey]?: Client;
  [socketKey]?: Socket;
}

/** The client of a request: as it was resolved, else the peer. */
export function clientOf(incoming: IncomingMessage): Client {
  return (incoming as ResolvedMessage)[clientKey] ?? peerOf(incoming);
}

/** Its address alone, which costs less. */
export function addressOf(incoming: IncomingMessage): string {
  return (incoming as ResolvedMessage)[clientKey]?.address ?? peerAddress(socketOf(incoming));
}

/**
 * Keeps which connection a request of HTTP/2 came by: its own `socket` is a proxy for the stream, which is dear to ask, and knows of no
 * peer any more when the stream has closed.
 */
export function keepSocket(incoming: IncomingMessage, socket: Socket): void {
  (incoming as ResolvedMessage)[socketKey] = socket;
}

function socketOf(incoming: ResolvedMessage): Socket {
  return incoming[socketKey] ?? incoming.socket;
}

/** The address of a connection's other end. */
export function peerAddress(socket: ShownSocket): string {
  return socket[shownKey] ?? plainAddress(socket.remoteAddress) ?? "unix";
}

function peerOf(incoming: IncomingMessage): Client {
  const socket = socketOf(incoming);
  return { address: peerAddress(socket), scheme: "encrypted" in socket ? "https" : "http", host: firstHeader(incoming, "host") };
}

/** What proxies tell of a client: an app sees it only from those that are believed. */
const forwarding = [
  "x-forwarded-for",
  "forwarded",
  "x-forwarded-proto",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-prefix",
  "x-forwarded-server",
  "x-real-ip",
] as const;

/**
 * Resolves the client of each request, once, before the app is asked, and makes all that the app may read say the same: the peer's
 * address on the socket, and the headers of forwarding. Without trusted proxies no such header reaches an app; with them
 * there is exactly one address in `X-Forwarded-For`, the client's.
 */
export function makeClientResolver(settings: ProxySettings): (incoming: IncomingMessage) => void {
  const { header, from, count } = settings;
  const believesNobody = !believesProxies(settings);
  const trusts = remembering(trustedProxies(from));
  const isTrusted = (address: string, hop: number): boolean =>
    (count === undefined || hop < count) && (from.length === 0 ? count !== undefined : trusts(address === "unix" ? undefined : address));
  const names = [...new Set([...forwarding, header])];
  const find = makeFinder(names);
  return (incoming) => {
    showPlainAddress(socketOf(incoming));
    const told = find(incoming.rawHeaders);
    if (believesNobody) {
      if (told.length > 0) replaceHeaders(incoming, told, names, {});
      return;
    }
    const peer = peerOf(incoming);
    if (told.length === 0 && addRawHeader(incoming, "x-forwarded-for", peer.address)) {
      (incoming as ResolvedMessage)[clientKey] = peer;
      return;
    }
    const isBelieved = isTrusted(peer.address, 0);
    const client = isBelieved ? resolve(incoming, told, peer, header, count, isTrusted) : peer;
    (incoming as ResolvedMessage)[clientKey] = client;
    if (isBelieved && header === "x-forwarded-for" && correctHeaders(incoming, told, client)) return;
    const { address, scheme, host } = client;
    const said = isBelieved
      ? {
          "x-forwarded-proto": scheme,
          ...(host === undefined ? {} : { "x-forwarded-host": host }),
          ...kept(told, ["x-forwarded-port", "x-forwarded-prefix"]),
          ...(told.some(({ name }) => name === "x-real-ip") ? { "x-real-ip": address } : {}),
        }
      : {};
    replaceHeaders(incoming, told, names, { "x-forwarded-for": address, ...said });
  };
}

/** Headers of forwarding that a believed proxy may send once, and what is right in them. */
const correctable: Readonly<Record<string, ((client: Client) => string | undefined) | "as it is">> = {
  "x-forwarded-for": ({ address }) => address,
  "x-real-ip": ({ address }) => address,
  "x-forwarded-proto": ({ scheme }) => scheme,
  "x-forwarded-host": ({ host }) => host,
  "x-forwarded-port": "as it is",
  "x-forwarded-prefix": "as it is",
};

/**
 * Puts what is right into the headers of forwarding that are there, which costs little: most requests that come through a proxy have
 * each of them once, and say the right thing already.
 *
 * @returns whether that was enough: none is there too much, and the client's address is there
 */
function correctHeaders(incoming: IncomingMessage, told: readonly ToldLine[], client: Client): boolean {
  let hasAddress = false;
  for (let n = 0; n < told.length; n++) {
    const { name } = told[n] as ToldLine;
    if (correctable[name] === undefined) return false;
    for (let before = 0; before < n; before++) if (told[before]?.name === name) return false;
    if (name === "x-forwarded-for") hasAddress = true;
  }
  if (!hasAddress) return false;
  for (const { name, value: said, at } of told) {
    const right = correctable[name] as NonNullable<(typeof correctable)[string]>;
    if (right === "as it is") continue;
    const value = right(client);
    if (value === undefined) return false;
    if (value === said) continue;
    incoming.rawHeaders[at] = value;
    if (!areHeadersRaw(incoming)) incoming.headers[name] = value;
  }
  return true;
}

/** A line of a header of forwarding as it came, and where its value stands among the raw headers. */
interface ToldLine {
  /** In lower case. */
  readonly name: string;
  readonly value: string;
  readonly at: number;
}

const nothingTold: readonly ToldLine[] = [];

/**
 * Finds the lines of these names in a list of names and values, in one pass for all that is asked of them later: a name in lower case
 * costs more than all else that is done with it. `headers` is left alone: Node makes it when it is asked for, and many a request is
 * answered without it. The lengths of names tell most of them apart.
 */
function makeFinder(names: readonly string[]): (rawHeaders: readonly string[]) => readonly ToldLine[] {
  const wanted = new Set(names);
  const lengths: boolean[] = [];
  for (const { length } of names) lengths[length] = true;
  return (rawHeaders) => {
    let told: ToldLine[] | undefined;
    for (let n = 0; n + 1 < rawHeaders.length; n += 2) {
      const raw = rawHeaders[n] as string;
      if (lengths[raw.length] !== true) continue;
      const name = raw.toLowerCase();
      if (!wanted.has(name)) continue;
      const line = { name, value: rawHeaders[n + 1] as string, at: n + 1 };
      if (told === undefined) told = [line];
      else told.push(line);
    }
    return told ?? nothingTold;
  };
}

/** Middlewares and frameworks read the socket's address themselves: there, too, an IPv4 one is written as such. Once for a connection. */
export function showPlainAddress(socket: ShownSocket): void {
  if (socket[shownKey] !== undefined) return;
  const address = socket.remoteAddress;
  const plain = plainAddress(address) ?? (socket.destroyed ? undefined : "unix");
  if (plain === undefined) return;
  socket[shownKey] = plain;
  if (plain !== address) Object.defineProperty(socket, "remoteAddress", { value: plain, configurable: true });
}

interface Hop {
  readonly address: string | undefined;
  readonly scheme?: string | undefined;
  readonly host?: string | undefined;
}

function resolve(
  incoming: IncomingMessage,
  lines: readonly ToldLine[],
  peer: Client,
  header: string,
  count: number | undefined,
  isTrusted: (address: string, hop: number) => boolean,
): Client {
  const hops = header === "forwarded" ? forwardedHops(valuesOf(lines, header)) : listedHops(valuesOf(lines, header), header);
  const told =
    header === "forwarded"
      ? undefined
      : {
          scheme: lastOf(lines, "x-forwarded-proto") ?? firstHeader(incoming, ":scheme"),
          host: lastOf(lines, "x-forwarded-host"),
        };
  let address = peer.address;
  let last: Hop | undefined;
  // With fewer entries than there are proxies, somebody has come past them.
  if (count === undefined || hops.length >= count) {
    for (let hop = 0; isTrusted(address, hop); hop++) {
      const next = hops.pop();
      if (next?.address === undefined) break;
      address = next.address;
      last = next;
    }
  }
  const { scheme, host } = told ?? { scheme: last?.scheme, host: last?.host };
  const lower = scheme?.toLowerCase();
  return {
    address,
    scheme: lower === "https" || lower === "http" ? lower : peer.scheme,
    host: host !== undefined && isHostName(host) ? host : peer.host,
  };
}

/** All values of one name, in their order. */
function valuesOf(lines: readonly ToldLine[], name: string): string[] {
  const values: string[] = [];
  for (const line of lines) if (line.name === name) values.push(line.value);
  return values;
}

/** Of a header that every proxy appends to, the proxy that is nearest wrote the last. */
function lastOf(lines: readonly ToldLine[], name: string): string | undefined {
  for (let n = lines.length - 1; n >= 0; n--) {
    const { name: each, value } = lines[n] as ToldLine;
    if (each === name) return value.slice(value.lastIndexOf(",") + 1).trim() || undefined;
  }
  return undefined;
}

/** `X-Forwarded-For` is a list; any other header has one address, and is not believed when it has more. */
function listedHops(values: readonly string[], header: string): Hop[] {
  const entries = values
    .join(",")
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "");
  if (header !== "x-forwarded-for" && entries.length > 1) return [];
  return entries.map((entry) => ({ address: addressIn(entry) }));
}

/** RFC 7239: elements with commas between, pairs with semicolons, values that may be quoted. */
function forwardedHops(values: readonly string[]): Hop[] {
  return splitOutsideQuotes(values.join(","), ",").flatMap((element) => {
    const pairs = new Map<string, string>();
    for (const pair of splitOutsideQuotes(element, ";")) {
      const at = pair.indexOf("=");
      if (at > 0) pairs.set(pair.slice(0, at).trim().toLowerCase(), unquoted(pair.slice(at + 1).trim()));
    }
    const node = pairs.get("for");
    return pairs.size === 0
      ? []
      : [{ address: node === undefined ? undefined : addressIn(node), scheme: pairs.get("proto"), host: pairs.get("host") }];
  });
}

function splitOutsideQuotes(text: string, separator: string): string[] {
  const parts: string[] = [];
  let begin = 0;
  let quoted = false;
  for (let n = 0; n < text.length; n++) {
    if (quoted && text[n] === "\\") n += 1;
    else if (text[n] === '"') quoted = !quoted;
    else if (!quoted && text[n] === separator) {
      parts.push(text.slice(begin, n));
      begin = n + 1;
    }
  }
  parts.push(text.slice(begin));
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}

function unquoted(text: string): string {
  return text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1).replaceAll(/\\(.)/g, "$1") : text;
}

/** An address, without a port and brackets; `undefined` for anything else (`unknown`, `_hidden`, a zone), which ends the walk. */
const addressIn = remembering((text: string): string | undefined => {
  const address = /^\[([0-9a-f:.]+)\](?::\d{1,5})?$/i.exec(text)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d{1,5}$/.exec(text)?.[1] ?? text;
  return isIP(address) === 0 || address.includes("%") ? undefined : plainAddress(address);
});

const mostRemembered = 1000;

/** Remembers the last answers to texts of an address's length: the same clients come through the same proxies again and again. */
function remembering<K extends string | undefined, V>(find: (text: K) => V): (text: K) => V {
  const known = new Map<K, { readonly found: V }>();
  return (text) => {
    const earlier = known.get(text);
    if (earlier !== undefined) return earlier.found;
    const found = find(text);
    if (known.size >= mostRemembered) known.clear();
    if (text === undefined || text.length < 64) known.set(text, { found });
    return found;
  };
}

/** `::ffff:10.0.0.1`, as a socket that takes both families has it, is 10.0.0.1. */
function plainAddress(address: string | undefined): string | undefined {
  return address !== undefined && /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(address) ? address.slice(7) : address;
}

function isHostName(host: string): boolean {
  return host.length <= 255 && (/^[\w.-]+(?::\d{1,5})?$/.test(host) || /^\[[0-9a-f:.]+\](?::\d{1,5})?$/i.test(host));
}

function kept(lines: readonly ToldLine[], names: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of names) {
    const values = valuesOf(lines, name);
    if (values.length > 0) found[name] = values.join(", ");
  }
  return found;
}

/**
 * Everywhere that Node keeps them: as they came, and by name.
 *
 * @param told all lines that there are of these names, which go
 */
function replaceHeaders(
  incoming: IncomingMessage,
  told: readonly ToldLine[],
  names: readonly string[],
  values: Readonly<Record<string, string>>,
): void {
  const { rawHeaders } = incoming;
  const raw: string[] = [];
  let next = 0;
  for (let n = 0; n + 1 < rawHeaders.length; n += 2) {
    if (told[next]?.at === n + 1) next += 1;
    else raw.push(rawHeaders[n] as string, rawHeaders[n + 1] as string);
  }
  for (const [name, value] of Object.entries(values)) raw.push(name, value);
  if (takeRawHeaders(incoming, raw)) return;
  // Node makes these two from `rawHeaders` when they are first asked for, and counts on its length: they are asked for before.
  const { headers, headersDistinct: distinct } = incoming;
  for (const name of names) delete headers[name];
  for (const [name, value] of Object.entries(values)) headers[name] = value;
  incoming.rawHeaders = raw;
  for (const name of names) delete distinct[name];
  for (const [name, value] of Object.entries(values)) distinct[name] = [value];
}
