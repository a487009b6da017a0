import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { failResponse } from "./fail-response.ts";

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}

/** What a client gets where an app spoils its response before it fails; `undefined` for a connection that ends without an answer. */
async function failing(spoil: (response: ServerResponse) => void): Promise<Answer | undefined> {
  const server = createServer((_, response) => {
    spoil(response);
    failResponse(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  try {
    return await new Promise((resolve) => {
      const asked = request({ port, host: "127.0.0.1", agent: false }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("error", () => undefined);
        response.on("close", () =>
          resolve({ status: response.statusCode, headers: response.headers, text: response.complete ? text : "cut" }),
        );
      });
      asked.on("error", () => resolve(undefined)).end();
    });
  } finally {
    server.close();
  }
}

const refuse = (): never => {
  throw new Error("not to be read");
};

test.each<[string, (response: ServerResponse) => void]>([
  ["nothing", () => undefined],
  ["a reason phrase that can't be sent", (response) => void (response.statusMessage = "a\r\nx-forged: 1")],
  ["a status that is none", (response) => void (response.statusCode = 9999)],
  ["a Content-Length of its own", (response) => void response.setHeader("content-length", "3")],
  [
    "headers that say how to read it",
    (response) => void response.setHeader("content-encoding", "gzip").setHeader("transfer-encoding", "gzip"),
  ],
])("a 500 after %s", async (_, spoil) => {
  const answer = await failing(spoil);
  expect(answer).toMatchObject({ status: 500, text: '{"statusCode":500,"error":"Internal Server Error"}' });
  expect(answer?.headers).not.toHaveProperty("x-forged");
  expect(answer?.headers).not.toHaveProperty("content-encoding");
  expect(answer?.headers).not.toHaveProperty("transfer-encoding");
});

test("an answer that has begun is no whole one", async () => {
  const answer = await failing((response) => response.writeHead(200).write("part"));
  expect([undefined, "cut"]).toContain(answer?.text);
});

test("an answer that has ended is left alone", async () => {
  expect(await failing((response) => response.end("whole"))).toMatchObject({ status: 200, text: "whole" });
});

test.each<[string, (response: ServerResponse) => void]>([
  ["of a status that can't be set", (response) => void Object.defineProperty(response, "statusCode", { get: refuse })],
  ["whose methods throw", (response) => void Object.assign(response, { writeHead: refuse })],
])("a response %s ends its connection, and throws nothing", async (_, spoil) => {
  expect(await failing(spoil)).toBeUndefined();
});
