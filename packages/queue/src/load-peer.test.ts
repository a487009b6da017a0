import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { loadLibrary } from "./amqp/library.ts";
import { loadPeer } from "./load-peer.ts";
import { loadSns, loadSqs } from "./sqs/library.ts";

const folder = mkdtempSync(join(tmpdir(), "tsserve-peers-"));
afterAll(() => rmSync(folder, { recursive: true }));

function install(name: string, text: string): void {
  const at = join(folder, "node_modules", name);
  mkdirSync(at, { recursive: true });
  writeFileSync(join(at, "package.json"), JSON.stringify({ name, version: "1.0.0", main: "main.js" }));
  writeFileSync(join(at, "main.js"), text);
}

const libraries: readonly [string, (neededBy: string, folder: string) => unknown, string][] = [
  ["amqplib", loadLibrary, "connect"],
  ["@aws-sdk/client-sqs", loadSqs, "SQSClient"],
  ["@aws-sdk/client-sns", loadSns, "SNSClient"],
];

describe.each(libraries)("%s", (name, load, exported) => {
  test("the one beside this package serves where the app has none", () => {
    const library = load("a consumer", join(tmpdir(), "tsserve-no-such-folder")) as Record<string, unknown>;
    expect(typeof library[exported]).toBe("function");
  });

  test("the app's own goes first", () => {
    install(name, "exports.isOfApp = true;");
    expect(load("a consumer", folder)).toEqual({ isOfApp: true });
  });
});

test("one that is nowhere is asked for with the command that installs it, for good", () => {
  const thrown = expect(() => loadPeer("tsserve-no-such-library", folder, 'consumer "orders"'));
  thrown.toThrow(
    expect.objectContaining({
      name: "BrokerError",
      reason: "library",
      isPermanent: true,
      message: 'consumer "orders" needs tsserve-no-such-library: npm install tsserve-no-such-library',
    }),
  );
});

test.each([
  ["throws", "throw new SyntaxError('Unexpected token');", "Unexpected token"],
  ["lacks a package of its own", "require('tsserve-no-such-dependency');", "tsserve-no-such-dependency"],
])("what goes wrong inside of a library that %s is told as it is", (_, text, message) => {
  install("broken", text);
  expect(() => loadPeer("broken", folder, "a consumer")).toThrow(
    expect.objectContaining({
      message: expect.stringContaining(message) as string,
      name: expect.not.stringMatching("BrokerError") as string,
    }),
  );
  rmSync(join(folder, "node_modules", "broken"), { recursive: true });
});
