import { once } from "node:events";
import { request, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import Fastify, { type FastifyInstance, type FastifyRequest } from "fastify";
import { describe, expect, test } from "vitest";
import { makeClientResolver } from "./client.ts";
import { showClient } from "./fastify-client.ts";
import type { FastifyLike } from "./fastify-like.ts";
import { requestKey } from "./http-request.ts";

const told = { "X-Forwarded-For": "9.9.9.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example:8443", Host: "inner" };

function seen({ ip, protocol, host, hostname }: FastifyRequest): object {
  return { ip, protocol, host, hostname };
}

function withRoutes(options: object): FastifyInstance {
  const app = Fastify(options);
  showClient(app as unknown as FastifyLike);
  app.get("/", async (incoming) => seen(incoming));
  void app.register(async (child) => {
    child.decorateRequest("mine", "");
    child.get("/plugin", async (incoming) => seen(incoming));
  });
  return app;
}

/** What an app sees of requests that come through a server that believes its loopback, or through one that is not ours. */
async function asked(app: FastifyInstance, path: string, isTracked = true): Promise<unknown> {
  const resolve = makeClientResolver({ header: "x-forwarded-for", from: ["loopback"], count: undefined });
  await app.ready();
  const before: RequestListener = (incoming) => {
    if (!isTracked) return;
    resolve(incoming);
    Object.assign(incoming, { [requestKey]: { takeId: () => undefined } });
  };
  app.server.prependListener("request", before);
  await app.listen({ port: 0, host: "127.0.0.1" });
  try {
    const { port } = app.server.address() as AddressInfo;
    const asking = request({ port, host: "127.0.0.1", path, headers: told, agent: false }).end();
    const [answer] = (await once(asking, "response")) as [NodeJS.ReadableStream];
    let text = "";
    for await (const chunk of answer) text += String(chunk);
    return JSON.parse(text);
  } finally {
    await app.close();
  }
}

const client = { ip: "9.9.9.9", protocol: "https", host: "shop.example:8443", hostname: "shop.example" };
const peer = { ip: "127.0.0.1", protocol: "http", host: "inner", hostname: "inner" };

describe("an instance that believes no proxy by itself", () => {
  for (const path of ["/", "/plugin"])
    test(`is shown the client of a request: ${path}`, async () => expect(await asked(withRoutes({}), path)).toEqual(client));

  test("is left alone where the request did not come through the server", async () => {
    expect(await asked(withRoutes({}), "/", false)).toEqual(peer);
    const app = withRoutes({});
    const answer = await app.inject({ path: "/", headers: told, remoteAddress: "8.8.8.8" });
    expect(answer.json()).toEqual({ ...peer, ip: "8.8.8.8" });
    await app.close();
  });

  test("may decorate its requests as it likes", async () => {
    const app = withRoutes({});
    app.decorateRequest("ip", { getter: () => "mine" });
    expect(await asked(app, "/")).toEqual({ ...client, ip: "mine" });
  });
});

test("an instance with a trustProxy has settled the matter itself", async () => {
  const nobody = (): boolean => false;
  expect(await asked(withRoutes({ trustProxy: nobody }), "/")).toEqual(peer);
});
