import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import type { ServerContext } from "@tsserve/server";
import { expect, test } from "vitest";
import { loadHandler, loadRenderer } from "./load-handler.ts";

const next: RequestListener = (_, response) => void response.end("the app");

interface Told {
  readonly owner: string;
  readonly message: string;
}

/** Where `./handler.js` exports this. */
function contextOf(exported: unknown): { readonly context: ServerContext; readonly asked: string[]; readonly told: Told[] } {
  const asked: string[] = [];
  const told: Told[] = [];
  const context = {
    placeOf: (key: string) => `app.ini:3: [server:main] ${key}`,
    loadFunction: (written: string, defaultName: string) => {
      asked.push(`${written}:${defaultName}`);
      return Promise.resolve(exported);
    },
    log: { error: ({ owner }: { owner: string }, message: string) => told.push({ owner, message }) },
  };
  return { context: context as unknown as ServerContext, asked, told };
}

async function answerOf(handle: RequestListener): Promise<string> {
  const server = createServer(handle).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  try {
    const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    return `${answer.status} ${await answer.text()}`;
  } finally {
    server.close();
  }
}

test.each([
  ["wraps the app", () => (request: never, response: never) => next(request, response), "200 the app"],
  ["takes the app's place", () => (_: never, response: { end(text: string): void }) => response.end("the handler"), "200 the handler"],
  ["comes later", () => Promise.resolve(next), "200 the app"],
  ["is the app itself", (app: RequestListener) => app, "200 the app"],
])("a handler that %s answers", async (_, factory, answer) => {
  const { context, asked, told } = contextOf(factory);
  expect(await answerOf(await loadHandler("./handler.js", next, context))).toBe(answer);
  expect([asked, told]).toEqual([["./handler.js:makeHandler"], []]);
});

test.each([
  ["throws", () => raise()],
  ["rejects", () => Promise.reject(new Error("by design"))],
])("one whose function %s for a request costs that request, and is told with its owner", async (_, handle) => {
  const { context, told } = contextOf(() => handle);
  expect(await answerOf(await loadHandler("./handler.js", next, context))).toMatch(/^500 /);
  expect(told).toEqual([{ owner: "the handler ./handler.js", message: "the handler ./handler.js failed to answer a request" }]);
});

test.each([
  ["throws", () => raise(), /app\.ini:3: \[server:main\] handler: [^]*by design/],
  ["rejects", () => Promise.reject(new Error("by design")), /app\.ini:3: \[server:main\] handler: [^]*by design/],
  ["gives nothing", () => undefined, /app\.ini:3: \[server:main\] handler: what \.\/handler\.js gave is undefined, expected a function/],
  ["gives null", () => null, /what \.\/handler\.js gave is null, expected/],
  ["gives a text", () => "handler", /what \.\/handler\.js gave is a string, expected/],
  [
    "gives an object",
    () => ({ handle: next }),
    /app\.ini:3: \[server:main\] handler: what \.\/handler\.js gave is an object, expected a function/,
  ],
])("a factory that %s fails the start, with the place of its key", async (_, factory, message) => {
  await expect(loadHandler("./handler.js", next, contextOf(factory).context)).rejects.toThrow(message);
});

test("a renderer of errors is loaded where one is named, and not asked for otherwise", async () => {
  const render = (): string => "sorry";
  const { context, asked } = contextOf(render);
  expect(await loadRenderer(undefined, context)).toBeUndefined();
  expect(asked).toEqual([]);
  expect(await loadRenderer("./errors.js:mine", context)).toBe(render);
  expect(asked).toEqual(["./errors.js:mine:renderError"]);
});

function raise(): never {
  throw new Error("by design");
}
