import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { expect, test } from "vitest";
import { makeHoldErrors } from "./hold-errors.ts";
import { requestKey, type HttpRequest } from "./http-request.ts";

function held(): { readonly response: ServerResponse; readonly told: unknown[] } {
  const told: unknown[] = [];
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  Object.assign(response, { [requestKey]: {} as HttpRequest });
  makeHoldErrors((_request, thrown) => told.push(thrown))(response);
  return { response, told };
}

const lateThings: Readonly<Record<string, (response: ServerResponse) => unknown>> = {
  "ends twice": (response) => response.end("b"),
  "writes after the end": (response) => response.write("b"),
  "emits an error of its own": (response) =>
    response.emit("error", Object.assign(new Error("own"), { code: "ERR_STREAM_WRITE_AFTER_END" })),
};

test.each(Object.entries(lateThings))("an app that %s is told of, and ends nothing", async (_, late) => {
  const { response, told } = held();
  response.end("a");
  late(response);
  await new Promise(setImmediate);
  expect(told).toHaveLength(1);
  expect(told[0]).toMatchObject({ code: "ERR_STREAM_WRITE_AFTER_END" });
});

test("who listens hears of it himself", () => {
  const { response, told } = held();
  const heard: unknown[] = [];
  response.on("error", (error) => heard.push(error));
  response.emit("error", "first");
  response.removeAllListeners("error");
  response.emit("error", "second");
  expect([heard, told]).toEqual([["first"], ["second"]]);
});

test("other events have their values, and say whether somebody heard them", () => {
  const { response } = held();
  const heard: unknown[][] = [];
  response.on("pipe", (...values: unknown[]) => heard.push(values.slice(0, 2)));
  expect(response.emit("pipe", 1, 2)).toBe(true);
  expect(response.emit("finish")).toBe(false);
  expect(heard).toEqual([[1, 2]]);
});

test("an error of a response that is no request's is thrown, as Node does", () => {
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  makeHoldErrors(() => undefined)(response);
  expect(() => response.emit("error", new Error("nobody's"))).toThrow("nobody's");
});
