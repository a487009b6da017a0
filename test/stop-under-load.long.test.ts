import { bindDescriptor, load, lost, workerEnvironment, type LoadResult } from "@tsserve/testing";
import { expect, test } from "vitest";
import { serve, type Served } from "./support/serve.ts";

const stops = 6;

/** One instance takes over from the other on the same listening socket, again and again, under load. */
for (const app of ["hello.js", "plain.js"]) {
  test(`${stops} stops under load lose nothing: ${app}`, async () => {
    using bound = bindDescriptor();
    const end = new AbortController();
    const start = async (): Promise<Served> => {
      const server = serve({
        app,
        server: { drain_time: "300 milliseconds", access_log: "false" },
        descriptors: [bound.fd],
        env: workerEnvironment(),
      });
      await server.listening();
      return server;
    };
    let serving = await start();
    const options = { port: bound.port, clients: 16, expect: (body: string) => /"hello":"world"|"bytes":0/.test(body), signal: end.signal };
    const loads = [load({ ...options, keepAlive: true }), load({ ...options, keepAlive: false })];
    try {
      for (let stop = 0; stop < stops; stop++) {
        await using old = serving;
        serving = await start();
        old.kill();
        expect((await old.exited()).code).toBe(0);
      }
    } finally {
      end.abort();
    }
    const results: LoadResult[] = await Promise.all(loads);
    await serving[Symbol.asyncDispose]();
    for (const result of results) {
      expect([lost(result), result.failures]).toEqual([0, []]);
      expect(result.ok).toBeGreaterThan(100);
    }
  });
}
