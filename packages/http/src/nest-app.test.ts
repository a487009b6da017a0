import { createServer, type Server } from "node:http";
import { isTsserveError } from "@tsserve/config";
import type { Logger } from "pino";
import { expect, test } from "vitest";
import type { NestLike } from "./app-kind.ts";
import type { HttpApp } from "./http-app.ts";
import { openNest } from "./nest-app.ts";

const log = { debug: () => undefined } as unknown as Logger;

/** A NestJS application, as far as it is looked at, and the order in which that happens. */
function makeNest(instance: unknown, server: unknown, fails?: string) {
  const told: string[] = [];
  const app: NestLike = {
    init: async () => {
      told.push("init");
      if (fails !== undefined) throw new Error(fails);
      return await Promise.resolve();
    },
    getHttpAdapter: () => (told.push("adapter"), { getInstance: () => instance }),
    getHttpServer: () => (told.push("server"), server),
    close: async () => {
      told.push("close");
      return await Promise.resolve("whatever");
    },
  };
  return { app, told };
}

test("one on Express is made ready, then opened by its server, and closed with its own hooks", async () => {
  const server = createServer();
  const express = (): void => undefined;
  const { app, told } = makeNest(express, server);
  const opened: unknown[] = [];
  const given = { kind: "what was opened", close: () => told.push("not this") } as unknown as HttpApp;
  const http = await openNest(app, log, (each: Server, framework) => {
    opened.push(each, framework);
    return given;
  });
  expect(told[0]).toBe("init");
  expect(opened).toEqual([server, express]);
  expect(http).toMatchObject({ kind: "what was opened" });
  expect(told).not.toContain("close");
  expect(await http.close?.()).toBeUndefined();
  expect(told.at(-1)).toBe("close");
});

test("one on something else is none that can be served, and the message says what can", async () => {
  const { app } = makeNest({}, { listen: () => undefined });
  const thrown: unknown = await openNest(app, log, () => ({}) as HttpApp).catch((error: unknown) => error);
  expect(isTsserveError(thrown)).toBe(true);
  expect((thrown as Error).message).toMatch(/NestJS application on an adapter of another kind.*expected Express or Fastify/);
});

test("one that can't be made ready fails as it does", async () => {
  const { app, told } = makeNest({}, createServer(), "no database");
  await expect(openNest(app, log, () => ({}) as HttpApp)).rejects.toThrow("no database");
  expect(told).toEqual(["init"]);
});
