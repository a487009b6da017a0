import type { IncomingMessage } from "node:http";
import type { Logger } from "pino";
import { describe, expect, test } from "vitest";
import type { KoaLike } from "./app-kind.ts";
import type { ProxySettings } from "./client.ts";
import { requestKey, type HttpRequest, type TrackedMessage } from "./http-request.ts";
import { koaListener, koaRoutes } from "./koa-app.ts";

const nobody: ProxySettings = { from: [], count: undefined, header: "x-forwarded-for" };

/** What of a Koa app is looked at, with what is told to it. */
function makeApp(listeners = 0) {
  const onError: ((error: unknown, context?: unknown) => void)[] = [];
  const listener = (): void => undefined;
  const app: KoaLike = {
    middleware: ["the first of the app's"],
    callback: () => listener,
    listenerCount: (event) => (event === "error" ? listeners : 0),
    on: (_event, each) => onError.push(each),
  };
  return { app, listener, onError };
}

function makeLog() {
  const lines: string[] = [];
  const at =
    (level: string) =>
    (_fields: unknown, text: string): number =>
      lines.push(`${level}: ${text}`);
  return { lines, log: { debug: at("debug"), error: at("error") } as unknown as Logger };
}

describe("a Koa app's listener", () => {
  test("is what its callback gives, behind a middleware of ours", () => {
    const { app, listener } = makeApp();
    expect(koaListener(app, makeLog().log, nobody)).toBe(listener);
    expect(app.middleware).toHaveLength(2);
    expect(app.middleware[1]).toBe("the first of the app's");
  });

  test.each([
    [nobody, undefined],
    [{ ...nobody, from: ["loopback"] }, true],
    [{ ...nobody, count: 1 }, true],
  ])("believes proxies as the settings %j do", (proxies, expected) => {
    const { app } = makeApp();
    koaListener(app, makeLog().log, proxies);
    expect(app.proxy).toBe(expected);
  });

  test.each([
    ["/users/:id", "/users/:id"],
    [undefined, undefined],
    [/users/, undefined],
  ])("finds the pattern %s that a router leaves behind, once it has", async (matched, expected) => {
    const { app } = makeApp();
    koaListener(app, makeLog().log, nobody);
    const [note] = app.middleware as ((context: unknown, next: () => unknown) => unknown)[];
    const request = {} as HttpRequest;
    const req = { [requestKey]: request } as unknown as TrackedMessage;
    const context: { req: IncomingMessage; _matchedRoute?: unknown } = { req };
    const given = note?.(context, async () => {
      context._matchedRoute = matched;
      return await Promise.resolve("what comes next");
    });
    expect(await given).toBe("what comes next");
    expect(request.findRoute?.(req)).toBe(expected);
  });

  test("lets requests pass that nobody tracks", () => {
    const { app } = makeApp();
    koaListener(app, makeLog().log, nobody);
    const [note] = app.middleware as ((context: unknown, next: () => unknown) => unknown)[];
    expect(note?.({ req: {} }, () => "next")).toBe("next");
  });
});

describe("errors of a Koa app", () => {
  test("are its own where it listens for them", () => {
    const { app, onError } = makeApp(1);
    koaListener(app, makeLog().log, nobody);
    expect(onError).toEqual([]);
  });

  test.each<[unknown, string[]]>([
    [new Error("boom"), ["error: the app failed to answer a request"]],
    [Object.assign(new Error("not there"), { status: 404 }), []],
    [Object.assign(new Error("bad input"), { status: 400, expose: true }), []],
    [Object.assign(new Error("hidden"), { status: 500, expose: false }), ["error: the app failed to answer a request"]],
    ["a text", ["error: the app failed to answer a request"]],
    [undefined, ["error: the app failed to answer a request"]],
    [null, ["error: the app failed to answer a request"]],
  ])("%s is told as %j", (error, expected) => {
    for (const context of [undefined, { req: { socket: {} } }]) {
      const { app, onError } = makeApp();
      const { lines, log } = makeLog();
      koaListener(app, log, nobody);
      onError[0]?.(error, context);
      expect(lines).toEqual(expected);
    }
  });
});

describe("the routes of a Koa app", () => {
  test.each<[unknown[], string[]]>([
    [[], []],
    [[() => undefined, null, undefined, "a text"], []],
    [[{ router: {} }], []],
    [[{ router: { stack: [{ path: "/only-middleware", methods: [] }, { path: "/none" }] } }], []],
    [[{ router: { stack: [{ path: "/a", methods: ["HEAD", "GET"] }] } }], ["HEAD /a", "GET /a"]],
    [
      [
        { router: { stack: [{ path: "/a", methods: ["GET"] }] } },
        () => undefined,
        { router: { stack: [{ path: /b/, methods: ["POST"] }] } },
      ],
      ["GET /a", "POST /b/"],
    ],
  ])("of %j are %j", (middleware, expected) => {
    const { app } = makeApp();
    app.middleware.splice(0, 1, ...middleware);
    expect(koaRoutes(app).map(({ method, path }) => `${method} ${path}`)).toEqual(expected);
  });
});
