import { createRequire } from "node:module";
import { createServer, type RequestListener } from "node:http";
import { describe, expect, test } from "vitest";
import { catchRejections } from "./express-rejections.ts";

interface App extends RequestListener {
  use(...handlers: unknown[]): App;
  get(path: string, ...handlers: unknown[]): App;
}

async function ask(app: App, path = "/"): Promise<string> {
  const server = createServer(app).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return `${response.status} ${await response.text()}`;
  } finally {
    server.close();
  }
}

type Answer = { status(code: number): Answer; end(text: string): void };
const told = (error: unknown, _request: unknown, response: Answer, _next: unknown): void =>
  response.status(500).end(error instanceof Error ? error.message : String(error));
const rejects = (thrown: unknown) => () => Promise.reject(thrown as Error);
// They bring no types of their own.
const require = createRequire(import.meta.url);
const makers: readonly (readonly [string, () => App])[] = [
  ["Express 4", require("express4") as () => App],
  ["Express 5", require("express") as () => App],
];

describe.each(makers)("%s", (_name, make) => {
  const rejecting: readonly (readonly [string, (app: App) => void])[] = [
    ["a handler of a route", (app) => app.get("/", rejects(new Error("by design")))],
    ["middleware", (app) => app.use(rejects(new Error("by design")))],
    [
      "an error handler",
      (app) =>
        app.get("/", () => rejects(1)()).use((_error: unknown, _a: unknown, _b: unknown, _c: unknown) => rejects(new Error("by design"))()),
    ],
    ["a thenable", (app) => app.get("/", () => ({ then: (_: unknown, reject: (error: Error) => void) => reject(new Error("by design")) }))],
  ];
  test.each(rejecting)("what %s rejects with goes to the app's error handler", async (_what, use) => {
    const app = make();
    catchRejections(app);
    use(app);
    app.use(told);
    expect(await ask(app)).toBe("500 by design");
  });

  test("layers that were there before are caught, too, and nothing else changes", async () => {
    const app = make();
    app.use((_request: unknown, _response: unknown, next: () => void) => next());
    app.get("/well", (_request: unknown, response: Answer) => response.end("well"));
    app.get("/throws", () => {
      throw new Error("thrown");
    });
    app.get("/fails", rejects(undefined));
    app.use(told);
    catchRejections(app);
    catchRejections(app);
    expect(await ask(app, "/well")).toBe("200 well");
    expect(await ask(app, "/throws")).toBe("500 thrown");
    expect(await ask(app, "/fails")).toMatch(/^500 .*rejected/i);
    expect(await ask(app, "/nope")).toMatch(/^404/);
  });
});

test.each([
  ["an object", {}],
  ["a function", () => undefined],
  ["one whose router has no layers", { lazyrouter: () => undefined }],
])("%s is left alone", (_, value) => expect(() => catchRejections(value)).not.toThrow());
