import { isIPv6 } from "node:net";
import type { Parser } from "../spec.ts";

/** Where to listen or connect: a TCP host and port (an empty host means all interfaces), or a unix socket's path. */
export type Endpoint = { readonly host: string; readonly port: number } | { readonly path: string };

/** `host:port`, `[::1]:9090`, `:9090` (all interfaces), or a path (anything with a `/`, `unix:` before it allowed). */
export const endpoint: Parser<Endpoint> = (text) => {
  const trimmed = text.trim();
  if (trimmed.includes("/")) return Object.freeze({ path: unixPath(trimmed) });
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d+)$/.exec(trimmed) ?? [];
  if (digits === undefined) throw new Error(whatIsWrong(trimmed));
  const port = Number(digits);
  if (port > 65_535) throw new Error("expected a port of 0 to 65535");
  if (bracketed === undefined ? !/^[\p{L}\p{N}_.-]*$/u.test(plain ?? "") : !isIPv6(bracketed)) throw new Error(whatIsWrong(trimmed));
  return Object.freeze({ host: bracketed ?? plain ?? "", port });
};

/** Where to listen: an endpoint, or `fd://N`, a listening socket that this process was started with. */
export const listenEndpoint: Parser<Endpoint> = (text) => {
  const trimmed = text.trim();
  if (!trimmed.startsWith("fd:")) return endpoint(trimmed);
  if (!/^fd:\/\/\d{1,6}$/.test(trimmed)) throw new Error("expected the number of a descriptor, such as fd://3");
  return Object.freeze({ path: trimmed });
};

/** The descriptor of an endpoint that `listenEndpoint` read; `undefined` where it is none. */
export function descriptorOf(value: Endpoint): number | undefined {
  const number = "path" in value ? /^fd:\/\/(\d+)$/.exec(value.path)?.[1] : undefined;
  return number === undefined ? undefined : Number(number);
}

/** The text that `endpoint` reads back as the same endpoint. */
export function formatEndpoint(value: Endpoint): string {
  if ("path" in value) return value.path;
  return `${value.host.includes(":") ? `[${value.host}]` : value.host}:${value.port}`;
}

function unixPath(text: string): string {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text) && !text.startsWith("unix://")) {
    throw new Error("expected host:port or a path, not a URL");
  }
  return text.replace(/^unix:(?:\/\/)?/, "");
}

function whatIsWrong(text: string): string {
  const example = "such as localhost:9090, [::1]:9090, :9090 or /run/app.sock";
  if ((text.match(/:/g)?.length ?? 0) > 1 && !text.startsWith("[")) return `expected an IPv6 address in brackets, ${example}`;
  return `expected an endpoint ${example}`;
}
