import { AsyncLocalStorage } from "node:async_hooks";
import { EventEmitter } from "node:events";
import { createContextKey, ROOT_CONTEXT } from "@opentelemetry/api";
import { describe, expect, it } from "vitest";
import { RequestContextManager } from "./context-manager.ts";

const key = createContextKey("n");
const context = (n: number): typeof ROOT_CONTEXT => ROOT_CONTEXT.setValue(key, n);

describe("the context of a request", () => {
  it("is the root outside of any", () => {
    expect(new RequestContextManager(ROOT_CONTEXT).active()).toBe(ROOT_CONTEXT);
  });

  it("goes along with whatever is awaited, and not into what runs beside it", async () => {
    const contexts = new RequestContextManager(ROOT_CONTEXT);
    const seen = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        contexts.with(context(n), async () => {
          await new Promise((resolve) => setImmediate(resolve));
          await Promise.resolve();
          return contexts.active().getValue(key);
        }),
      ),
    );
    expect(seen).toEqual(Array.from({ length: 50 }, (_, n) => n));
    expect(contexts.active()).toBe(ROOT_CONTEXT);
  });

  it("nests, and is left when the call throws", () => {
    const contexts = new RequestContextManager(ROOT_CONTEXT);
    contexts.with(context(1), () => {
      expect(() =>
        contexts.with(context(2), () => {
          throw new Error("inside");
        }),
      ).toThrow("inside");
      expect(contexts.active().getValue(key)).toBe(1);
    });
  });

  it("hands on `this`, the arguments and what is given", () => {
    const contexts = new RequestContextManager(ROOT_CONTEXT);
    const self = { factor: 3 };
    function times(this: typeof self, n: number): number {
      return this.factor * n;
    }
    expect(contexts.with(context(1), times as (n: number) => number, self as never, 7)).toBe(21);
    const bound = contexts.bind(context(5), function read(this: { n: number }, add: number): unknown {
      return [this.n + add, contexts.active().getValue(key)];
    });
    expect(bound.call({ n: 1 }, 2)).toEqual([3, 5]);
  });

  it("leaves what is no function as it is", () => {
    const contexts = new RequestContextManager(ROOT_CONTEXT);
    const emitter = new EventEmitter();
    for (const target of [emitter, 5, null, undefined, "text"]) expect(contexts.bind(context(1), target)).toBe(target);
  });
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const suppressed = ROOT_CONTEXT.setValue(createContextKey("OpenTelemetry SDK Context Key SUPPRESS_TRACING"), true);

describe("until somebody asks", () => {
  it.each([
    ["the active context in a request", (contexts: RequestContextManager) => contexts.enter({}, context(1), () => contexts.active())],
    ["to run in one", (contexts: RequestContextManager) => contexts.with(context(1), () => undefined)],
    ["to bind to one", (contexts: RequestContextManager) => contexts.bind(context(1), () => undefined)],
  ])("nothing is wanted; then it is: %s", (_name, ask) => {
    const contexts = new RequestContextManager(ROOT_CONTEXT);
    contexts.active();
    contexts.with(ROOT_CONTEXT, () => contexts.active());
    contexts.with(suppressed, () => contexts.active());
    contexts.enter({}, context(1), () => contexts.outside(() => contexts.with(suppressed, () => contexts.active())));
    contexts.leave({});
    expect(contexts.isWanted).toBe(false);
    ask(contexts);
    expect(contexts.isWanted).toBe(true);
  });

  it("a request that entered has its context to its end, whichever others are over meanwhile, in any order", async () => {
    for (let seed = 0; seed < 20; seed++) {
      const contexts = new RequestContextManager(ROOT_CONTEXT);
      const seen: unknown[] = [];
      const waits = Array.from({ length: 12 }, (_, n) => ((n * 7 + seed * 5) % 11) + 1);
      await Promise.all(
        waits.map(async (wait, n) => {
          const request = {};
          await contexts.enter(request, context(n), async () => {
            for (let turns = 0; turns < wait; turns++) await turn();
            // The last one asks: a question would keep the storage for the others.
            if (n === seed % 12) seen.push([n, contexts.active().getValue(key)]);
          });
          contexts.leave(request);
        }),
      );
      expect(seen).toEqual([[seed % 12, seed % 12]]);
    }
  });

  it.runIf("kResourceStore" in new AsyncLocalStorage())(
    "the storage is put away with the last request, and comes back with the next",
    async () => {
      const contexts = new RequestContextManager(ROOT_CONTEXT);
      let later: Promise<unknown> | undefined;
      const request = {};
      contexts.enter(request, context(1), () => {
        later = turn().then(() => contexts.active().getValue(key));
      });
      contexts.leave(request);
      expect([await later, contexts.isWanted]).toEqual([undefined, false]);
      expect(await contexts.enter({}, context(2), () => turn().then(() => contexts.active().getValue(key)))).toBe(2);
    },
  );

  it("what has been asked for once is there for all that come", async () => {
    const contexts = new RequestContextManager(ROOT_CONTEXT);
    contexts.want();
    const request = {};
    const later = contexts.enter(request, context(3), () => turn().then(() => contexts.active().getValue(key)));
    contexts.leave(request);
    expect(await later).toBe(3);
  });
});
