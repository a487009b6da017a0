import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readMessage, type Message } from "./messages.ts";

const figures = { activeRequests: 1, requestsTotal: 2, memoryBytes: 3, eventLoopUtilization: 0.5 };
const messages: readonly Message[] = [
  { type: "tsserve:acknowledge" },
  { type: "tsserve:figures", figures },
  { type: "tsserve:figures", figures: { ...figures, messages: { perSecond: 1.5, lagSeconds: 0.2, retriesTotal: 1, deadTotal: 0 } } },
  { type: "tsserve:figures", figures: { ...figures, messages: { perSecond: 0, retriesTotal: 0, deadTotal: 0 } } },
  { type: "tsserve:leaving", reason: "an error that nobody caught" },
  { type: "tsserve:stop", reason: "upgrade" },
  { type: "tsserve:hurry", ends: "cut" },
  { type: "tsserve:reopen" },
  { type: "tsserve:lend", set: 0, endpoint: { host: "::1", port: 9090 } },
  { type: "tsserve:lend", set: 0, endpoint: { path: "/run/app.sock" } },
  { type: "tsserve:take-back", set: 3 },
  { type: "tsserve:metrics-socket" },
  { type: "tsserve:resting" },
  { type: "tsserve:rest", withinMs: 10_000 },
  { type: "tsserve:return" },
  { type: "tsserve:repl", by: "joe, pid 7", columns: 80 },
  { type: "tsserve:profile", id: 1, kind: "cpu", ms: 10_000, heapsFree: 3, by: "joe, pid 7" },
  { type: "tsserve:profile-taken", id: 1, path: "/tmp/a.cpuprofile", bytes: 7 },
  { type: "tsserve:profile-failed", id: 1, reason: "it ends" },
];

describe("readMessage", () => {
  test.each(messages)("takes $type as it is", (message) => {
    expect(readMessage(JSON.parse(JSON.stringify(message)))).toEqual({ message });
  });

  test.each(messages)("finds each field of $type that lacks or is of another kind", (message) => {
    for (const name of Object.keys(message).filter((key) => key !== "type")) {
      for (const wrong of [undefined, null, -1, 1.5, Number.NaN, "x".repeat(2000), [], {}, true]) {
        expect(readMessage({ ...message, [name]: wrong })).toEqual({ problem: `${message.type}: ${name} makes no sense` });
      }
    }
  });

  test("looks at the figures of messages, too", () => {
    const good = { perSecond: 0, lagSeconds: 1, retriesTotal: 0, deadTotal: 0 };
    for (const name of Object.keys(good))
      for (const wrong of [null, -1, Number.NaN, Number.POSITIVE_INFINITY, "1", {}]) {
        const value = { type: "tsserve:figures", figures: { ...figures, messages: { ...good, [name]: wrong } } };
        expect(readMessage(value)).toEqual({ problem: "tsserve:figures: figures makes no sense" });
      }
    for (const wrong of [null, 7, []])
      expect(readMessage({ type: "tsserve:figures", figures: { ...figures, messages: wrong } })).toHaveProperty("problem");
  });

  test("leaves to the app what is the app's", () => {
    for (const value of [null, 7, "text", [], {}, { type: 7 }, { type: "other" }, { hello: 1 }])
      expect(readMessage(value)).toEqual({ foreign: true });
  });

  test("knows no type by inheritance", () => {
    expect(readMessage({ type: "tsserve:dance" })).toEqual({ problem: 'unknown type "tsserve:dance"' });
    expect(readMessage({ type: "tsserve:constructor" })).toHaveProperty("problem");
  });

  test("takes whatever comes, and never throws", () => {
    const types = fc.constantFrom(...messages.map(({ type }) => type), "tsserve:", "tsserve:x");
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.record({ type: types, figures: fc.anything(), set: fc.anything() })), (value) => {
        expect(Object.keys(readMessage(value))).toHaveLength(1);
      }),
    );
  });
});
