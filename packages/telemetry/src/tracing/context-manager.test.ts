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
