import { connect } from "node:net";
import { once } from "node:events";
import { openRaw, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { serve, type Served } from "./support/serve.ts";

const kinds = ["plain", "express", "koa", "fastify", "fastify by hand", "fetch", "hono"] as const;

/** What a proxy on loopback sends, and who the client is then, with `real_ip_from = loopback, 10.0.0.0/8`. */
const lists: readonly (readonly [lines: readonly string[], client: string])[] = [
  [[], "127.0.0.1"],
  [["9.9.9.9"], "9.9.9.9"],
  [["6.6.6.6, 9.9.9.9"], "9.9.9.9"],
  [["6.6.6.6, 9.9.9.9, 10.0.0.1"], "9.9.9.9"],
  [["6.6.6.6", "9.9.9.9"], "9.9.9.9"],
  [["6.6.6.6", "9.9.9.9", "10.0.0.1"], "9.9.9.9"],
  [["10.0.0.1, 10.0.0.2"], "10.0.0.1"],
  [["9.9.9.9:4711"], "9.9.9.9"],
  [["2001:db8::9"], "2001:db8::9"],
  [["[2001:db8::9]"], "2001:db8::9"],
  [["[2001:db8::9]:443"], "2001:db8::9"],
  [["::ffff:9.9.9.9"], "9.9.9.9"],
  [["::ffff:10.0.0.9"], "10.0.0.9"],
  [["not-an-ip"], "127.0.0.1"],
  [["9.9.9.9, not-an-ip"], "127.0.0.1"],
  [["not-an-ip, 9.9.9.9"], "9.9.9.9"],
  [["unknown"], "127.0.0.1"],
  [["_hidden"], "127.0.0.1"],
  [["fe80::1%eth0"], "127.0.0.1"],
  [["999.1.1.1"], "127.0.0.1"],
  [["9.9.9"], "127.0.0.1"],
  [["0x7f.1.1.1"], "127.0.0.1"],
  [["9.9.9.9, , "], "9.9.9.9"],
  [[" 9.9.9.9 "], "9.9.9.9"],
  [[""], "127.0.0.1"],
  [["unix"], "127.0.0.1"],
  [['"9.9.9.9"'], "127.0.0.1"],
  [["127.0.0.2, 9.9.9.9"], "9.9.9.9"],
  [["9.9.9.9, 127.0.0.2"], "9.9.9.9"],
  [[Array.from({ length: 200 }, (_, n) => `6.6.${n % 250}.6`).join(", ")], "6.6.199.6"],
];

interface Seen {
  readonly ip?: string;
  readonly scheme?: string;
  readonly host?: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** Sends a request with these header lines, and gives what the app saw. */
async function seenBy(base: string, path: string, lines: readonly string[]): Promise<Seen> {
  using raw = await openRaw(base);
  raw.send(`GET ${path} HTTP/1.1\r\nHost: inner\r\n${lines.map((line) => `${line}\r\n`).join("")}Connection: close\r\n\r\n`);
  const answer = await raw.closed();
  return JSON.parse(answer.slice(answer.indexOf("{"), answer.lastIndexOf("}") + 1)) as Seen;
}

const loggedClient = (server: Served, path: string): Promise<unknown> =>
  until(`the line of ${path}`, () => server.logs().find((line) => line["path"] === path)).then(({ client }) => client);

describe("the client is one and the same for the app, its headers and the log", () => {
  for (const kind of kinds) {
    test(kind, async () => {
      await using server = serve({ app: "mirror.js", config: { kind }, server: { real_ip_from: "loopback, 10.0.0.0/8" } });
      const base = await server.listening();
      for (const [index, [lines, client]] of lists.entries()) {
        const path = `/${index}`;
        const { ip, headers } = await seenBy(
          base,
          path,
          lines.map((line) => `X-Forwarded-For: ${line}`),
        );
        // A plain listener has no more than the peer's address, and the headers.
        expect([lines, kind === "plain" ? client : (ip ?? client), headers["x-forwarded-for"], await loggedClient(server, path)]).toEqual([
          lines,
          client,
          client,
          client,
        ]);
      }
      const { scheme, host, headers } = await seenBy(base, "/told", [
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: shop.example",
        "X-Forwarded-For: 9.9.9.9",
      ]);
      // A plain listener asks nobody but the headers.
      if (kind !== "plain") expect([scheme, host]).toEqual(["https", "shop.example"]);
      expect([headers["x-forwarded-proto"], headers["x-forwarded-host"]]).toEqual(["https", "shop.example"]);
    });

    test(`${kind}: a stranger's headers reach no app`, async () => {
      await using server = serve({ app: "mirror.js", config: { kind }, server: { real_ip_from: "10.0.0.0/8" } });
      const base = await server.listening();
      const forged = [
        "X-Forwarded-For: 9.9.9.9",
        "Forwarded: for=9.9.9.9",
        "X-Real-IP: 9.9.9.9",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: evil",
        "X-Request-Id: mine",
      ];
      const { headers, scheme = "http", host = "inner", ip = "127.0.0.1" } = await seenBy(base, "/forged", forged);
      expect([ip, scheme, host]).toEqual(["127.0.0.1", "http", "inner"]);
      const { "x-forwarded-for": list, "x-request-id": id, host: sent, ...others } = headers;
      expect([list, sent, Object.values(others).filter((value) => value !== undefined)]).toEqual(["127.0.0.1", "inner", []]);
      if (!kind.startsWith("fastify")) expect(id).toMatch(/^(?!mine$)./);
      expect(await loggedClient(server, "/forged")).toBe("127.0.0.1");
    });
  }
});

test("a thousand checks of a balancer that connect, send a PROXY header and go are no news: no line, no error", async () => {
  await using server = serve({ app: "plain.js", server: { real_ip_from: "loopback", proxy_protocol: "auto" } });
  const base = await server.listening();
  const port = Number(new URL(base).port);
  const headers = [
    Buffer.from("PROXY TCP4 192.0.2.7 198.51.100.1 55555 80\r\n"),
    Buffer.from("0d0a0d0a000d0a515549540a20000000", "hex"),
    Buffer.alloc(0),
  ];
  const before = server.stdout().length;
  for (let round = 0; round < 20; round++) {
    await Promise.all(
      Array.from({ length: 50 }, async (_, n) => {
        const socket = connect(port, "127.0.0.1");
        await once(socket, "connect");
        socket.resume();
        if (n % 4 === 3) {
          socket.write(headers[0] as Buffer);
          socket.resetAndDestroy();
        } else socket.end(headers[n % 3] ?? "");
        if (!socket.destroyed) await once(socket, "close");
      }),
    );
  }
  using raw = await openRaw(base);
  raw.send("PROXY TCP4 192.0.2.7 198.51.100.1 55555 80\r\nGET /after HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  expect(await raw.closed()).toMatch(/200 OK/);
  await until("the one line", () => server.stdout().length > before && server.logs().some(({ path }) => path === "/after"));
  const since = server.logs().filter(({ msg }) => !/listening|metrics/.test(msg));
  expect(since.map(({ path }) => path)).toEqual(["/after"]);
});
