import { describe, expect, test } from "vitest";
import type { FastifyRequestLike } from "./fastify-like.ts";
import { makePatternFinder } from "./fastify-pattern.ts";

let asked = 0;
/** As Fastify has it: what it keeps of the route under a symbol, and options made of that anew each time. */
function requestTo(context: unknown, url: string | undefined, description = "fastify.context"): FastifyRequestLike {
  const request = {
    [Symbol.for(`test ${description}`)]: undefined,
    get routeOptions() {
      asked += 1;
      return { url };
    },
  };
  return Object.assign(request, { [symbols[description] ?? Symbol(description)]: context }) as unknown as FastifyRequestLike;
}
const symbols: Readonly<Record<string, symbol>> = { "fastify.context": Symbol("fastify.context"), other: Symbol("other") };

describe("the pattern of a request's route", () => {
  test("is asked for once for each route", () => {
    const find = makePatternFinder();
    const [one, other] = [{}, {}];
    asked = 0;
    for (let n = 0; n < 3; n++) {
      expect([find(requestTo(one, "/one")), find(requestTo(other, "/other/:id"))]).toEqual(["/one", "/other/:id"]);
    }
    expect(asked).toBe(2);
  });

  test("is none where there is no route", () => {
    const find = makePatternFinder();
    const context = {};
    for (let n = 0; n < 2; n++) expect(find(requestTo(context, undefined))).toBeUndefined();
  });

  test.each([
    ["under another symbol", {}, "other"],
    ["not at all", undefined, "fastify.context"],
    ["as no object", "a text", "fastify.context"],
  ])("is asked for each time where Fastify keeps the route %s", (_how, context, description) => {
    const find = makePatternFinder();
    expect([find(requestTo(context, "/a", description)), find(requestTo(context, "/b", description))]).toEqual(["/a", "/b"]);
  });
});
