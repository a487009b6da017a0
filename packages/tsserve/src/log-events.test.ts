import type { LifecycleEvent } from "@tsserve/server";
import type { Logger } from "pino";
import { describe, expect, test } from "vitest";
import { logEvents } from "./log-events.ts";

const term = { kind: "signal", signal: "SIGTERM" } as const;
const request = { method: "GET", route: "/slow", ageMs: 70 } as never;

/** What is logged of an event: level and message of each line. */
function linesOf(event: LifecycleEvent): string[] {
  const lines: string[] = [];
  const write =
    (level: string) =>
    (...args: unknown[]): void =>
      void lines.push(`${level} ${String(args.at(-1))}`);
  const log = Object.fromEntries(["debug", "info", "warn", "error", "fatal"].map((level) => [level, write(level)]));
  logEvents(log as unknown as Logger)(event);
  return lines;
}

describe("each event is told at its level", () => {
  const table: readonly (readonly [LifecycleEvent, readonly (string | RegExp)[]])[] = [
    [{ type: "step-started", step: "the app", ms: 1.4 }, ["debug started"]],
    // Told on stderr, where people look for it.
    [{ type: "step-failed", step: "the app", error: new Error("x") }, []],
    [{ type: "running", addresses: ["http://a:1", "b.sock"], ms: 5 }, ["info listening on http://a:1, b.sock"]],
    [{ type: "start-interrupted", step: "the app", cause: term }, ["info SIGTERM while starting the app: giving up the start"]],
    [{ type: "shutdown", cause: term, drainTimeMs: 0 }, ["info SIGTERM: readiness fails from now on, no drain"]],
    [{ type: "shutdown", cause: term, drainTimeMs: 50 }, ["info SIGTERM: readiness fails from now on, draining for 50 ms"]],
    [
      { type: "shutdown", cause: { kind: "uncaught", error: "a text", origin: "rejection" }, drainTimeMs: 0 },
      ["fatal unhandled promise rejection", /^info an error that nobody caught/],
    ],
    [
      { type: "shutdown", cause: { kind: "server-ended", error: new Error("x") }, drainTimeMs: 0 },
      ["fatal the server failed", /^info the server ended by itself/],
    ],
    [{ type: "drain-failed", step: "the server", error: new Error("x") }, ["error the server failed when the drain began"]],
    [{ type: "drain-ended-early", cause: term }, [/^info SIGTERM: ending the drain/]],
    [
      { type: "stopping", stopTimeoutMs: 9, requests: [request] },
      ["info stopping: no new connections, at most 9 ms for 1 requests in progress"],
    ],
    [{ type: "deadline", requests: [request, request] }, [/^warn cut at the stop deadline: GET \/slow after 70 ms$/, /^warn cut/]],
    [{ type: "cut", step: "the server", count: 2 }, ["warn the stop deadline cut 2 of what was in progress"]],
    [{ type: "stop-failed", step: "the app's hooks", error: new Error("x") }, ["error stopping the app's hooks failed"]],
    [{ type: "stop-overran", step: "the app's hooks" }, ["error the app's hooks did not stop by the deadline; left behind"]],
    [
      { type: "error-during-shutdown", cause: { kind: "uncaught", error: new Error("x"), origin: "exception" } },
      ["fatal uncaught exception"],
    ],
    [{ type: "signal-repeated", signal: "SIGINT", exitCode: 130 }, ["warn SIGINT once more: ending at once"]],
    [{ type: "stopped", exitCode: 0, ms: 3 }, ["info stopped"]],
  ];
  for (const [event, expected] of table) {
    test(`${event.type}${"cause" in event ? ` (${event.cause.kind})` : ""}`, () => {
      const lines = linesOf(event);
      expect(lines).toHaveLength(expected.length);
      for (const [index, each] of expected.entries()) {
        if (typeof each === "string") expect(lines[index]).toBe(each);
        else expect(lines[index]).toMatch(each);
      }
    });
  }
});
