import { describe, expect, test } from "vitest";
import { isRequestId } from "./is-request-id.ts";

describe("the id of a request", () => {
  test("is of letters, digits and ._- alone, whatever stands where", () => {
    for (let code = 0; code < 0x200; code++) {
      const character = String.fromCharCode(code);
      for (const text of [character, `a${character}`, `${character}a`, `a${character}a`]) {
        expect([text, isRequestId(text)]).toEqual([text, /^[\w.-]+$/.test(text)]);
      }
    }
  });

  test("has 1 to 128 characters", () => {
    expect([0, 1, 128, 129].map((length) => isRequestId("x".repeat(length)))).toEqual([false, true, true, false]);
  });

  test.each([["a\r\nb: c"], [""], [7], [undefined], [null], [["a"]]])("is not %j", (id) => expect(isRequestId(id)).toBe(false));
});
