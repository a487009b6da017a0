import { expect, test } from "vitest";
import { loadPeer } from "./load-peer.ts";

const notFound = (): Promise<never> => Promise.reject(Object.assign(new Error("Cannot find package"), { code: "ERR_MODULE_NOT_FOUND" }));

test("a library that is installed is loaded", async () => {
  const module = { connect: () => undefined };
  expect(await loadPeer("amqplib", () => Promise.resolve(module), "a consumer")).toBe(module);
});

test("one that only the app's folder has is loaded from there", async () => {
  const module: { connect?: unknown; default?: { connect?: unknown } } = await loadPeer("amqplib", notFound, "a consumer");
  expect(typeof (module.connect ?? module.default?.connect)).toBe("function");
});

test("one that is nowhere is asked for with the command that installs it, for good", async () => {
  await expect(loadPeer("tsserve-no-such-library", notFound, 'consumer "orders"')).rejects.toMatchObject({
    name: "BrokerError",
    reason: "library",
    isPermanent: true,
    message: 'consumer "orders" needs tsserve-no-such-library: npm install tsserve-no-such-library',
  });
});

test("what goes wrong inside of a library is told as it is", async () => {
  const broken = new SyntaxError("Unexpected token");
  await expect(loadPeer("amqplib", () => Promise.reject(broken), "a consumer")).rejects.toBe(broken);
});

test.each([
  ["tsserve-no-such-library", true],
  // What it needs itself is not what one would install.
  ["amqplib", false],
])("what `require` does not find, asked for %s: that it is missing is said: %s", async (name, isMissing) => {
  const load = (): never => {
    throw Object.assign(new Error("Cannot find module 'tsserve-no-such-library'\nRequire stack:\n- /amqplib"), {
      code: "MODULE_NOT_FOUND",
    });
  };
  await expect(loadPeer(name, load, "a consumer")).rejects.toMatchObject(isMissing ? { reason: "library" } : { code: "MODULE_NOT_FOUND" });
});
