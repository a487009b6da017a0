import { request } from "node:http";
import { describe, expect, test } from "vitest";
import { until } from "@tsserve/testing";
import { appKinds } from "./support/kinds.ts";
import { serve } from "./support/serve.ts";

const names = [
  "authorization",
  "cookie",
  "proxy-authorization",
  "x-api-key",
  "x-auth-token",
  "x-csrf-token",
  "x-amz-security-token",
  "x-forwarded-client-cert",
  "x-real-ip",
  "forwarded",
  "if-match",
  "referer",
];
const secret = (name: string): string => `hunter2-${name}`;
const headers = Object.fromEntries(names.map((name) => [name, secret(name)]));

/** One way in which a request ends badly. */
const ways: readonly (readonly [string, string, string?])[] = [
  ["GET", "/throw"],
  ["GET", "/reject"],
  ["POST", "/json", "{bad json"],
  ["POST", "/json", "x".repeat(40_000)],
  ["POST", "/valid", "{}"],
  ["GET", "/slow"],
  ["GET", "/stream"],
  ["POST", "/never-ends"],
];

/** Asks, and gives up after a while. */
function ask(base: string, [method, path, body]: (typeof ways)[number]): Promise<void> {
  return new Promise((resolve) => {
    const length = path === "/never-ends" ? { "content-length": "100" } : {};
    const outgoing = request(
      `${base}${path}`,
      { method, agent: false, headers: { ...headers, "content-type": "application/json", ...length } },
      (response) => {
        response.resume().on("close", resolve);
      },
    );
    outgoing.on("error", () => resolve());
    if (path === "/never-ends") outgoing.write("x");
    else outgoing.end(body);
    setTimeout(() => outgoing.destroy(), 700).unref();
    outgoing.on("close", resolve);
  });
}

const subjects: readonly (readonly [app: string, kind: string])[] = [
  ...["fastify", "fastify without options", "plain", "http.Server", "express", "koa", "fetch"].map((kind) => ["secrets.js", kind] as const),
  ...appKinds.map(({ name }) => ["kinds.js", name] as const),
];

describe.each(subjects)("%s: %s", (app, kind) => {
  test("no header, cookie or body in the log, and no line over 16 kB, however a request ends", async () => {
    const server = { client_max_size: "32K", header_timeout: "300 milliseconds", request_timeout: "500 milliseconds" };
    await using served = serve({ app, server, config: { kind }, args: ["--debug"] });
    const base = await served.listening();
    // What h3 1 never ends is noticed when the system says that the client has gone, which may take it minutes.
    const asked = ways.filter(
      ([, path]) => path !== "/stream" || !appKinds.some(({ name, leavesBrokenStreams }) => name === kind && leavesBrokenStreams),
    );
    await Promise.all(asked.map((way) => ask(base, way)));
    await until("the lines", () => served.logs().filter(({ msg }) => msg.startsWith("request ")).length >= asked.length || undefined);
    served.kill();
    await served.exited();
    const text = served.stdout();
    expect(names.filter((name) => text.includes(secret(name)))).toEqual([]);
    expect(text).not.toMatch(/bad json|of-an-upstream|xxxxxxxxxx/);
    for (const line of text.split("\n")) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(16 * 1024);
    // The error behind each 500 is there, once, with its stack.
    if (app === "secrets.js" && kind !== "express" && kind !== "fastify without options")
      for (const message of ["it throws", "it rejects"]) {
        const told = served.logs().filter((each) => JSON.stringify(each).includes(message));
        expect([message, told.length]).toEqual([message, 1]);
        expect(JSON.stringify(told[0])).toMatch(/secrets\.js/);
      }
  });
});
