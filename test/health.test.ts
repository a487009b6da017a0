import { describe, expect, test } from "vitest";
import { run } from "./support/run.ts";
import { serve } from "./support/serve.ts";

describe("GET /health", () => {
  test("answers the three probes, by name and by number, readiness when none is named", async () => {
    await using server = serve();
    const base = await server.listening();
    for (const query of ["", "?type=readiness", "?type=liveness", "?type=startup", "?type=1", "?type=2", "?type=3"]) {
      const answer = await fetch(`${base}/health${query}`);
      expect([query, answer.status, await answer.json()]).toEqual([query, 200, { status: "ok" }]);
    }
  });

  test("asks the app's own checks, each for the probe that is made", async () => {
    await using server = serve({ app: "health-checks.js" });
    const base = await server.listening();
    const status = async (probe: string): Promise<number> => (await fetch(`${base}/health?type=${probe}`)).status;
    expect(await Promise.all(["readiness", "liveness", "startup"].map(status))).toEqual([503, 200, 503]);
    expect(await (await fetch(`${base}/health`)).json()).toEqual({ status: "unhealthy" });
    expect(JSON.stringify(await server.log(/^a health check failed/))).toContain("this check fails");
  });

  test("leaves it to an app that has the route itself", async () => {
    await using server = serve({ app: "own-health.js" });
    expect(await (await fetch(`${await server.listening()}/health`)).json()).toEqual({ mine: true });
  });

  test("can be turned off", async () => {
    await using server = serve({ server: { health: "false" } });
    expect((await fetch(`${await server.listening()}/health`)).status).toBe(404);
  });

  test("probes are no request logs", async () => {
    await using server = serve();
    const base = await server.listening();
    await fetch(`${base}/health`);
    await fetch(base);
    await server.log(/^request completed/);
    expect(server.logs().filter(({ msg }) => msg === "request completed")).toHaveLength(1);
  });
});

/** By default a second: a busy machine may take longer. */
const patient = ["--timeout", "30 seconds"];

describe("tsserve healthcheck http", () => {
  test("prints OK! and exits 0 when all is well; during the drain only liveness is", async () => {
    await using server = serve({ server: { drain_time: "1 hour" } });
    const { host } = new URL(await server.listening());
    expect(await run({}, ["healthcheck", "http", host, ...patient])).toEqual({ code: 0, stdout: "OK!\n", stderr: "" });
    server.kill();
    await server.log(/draining/);
    expect(await run({}, ["healthcheck", "http", host, ...patient])).toEqual({
      code: 1,
      stdout: "",
      stderr: `${host}: the readiness probe got 503 {"status":"shutting_down"}\n`,
    });
    expect((await run({}, ["healthcheck", "http", host, "--probe", "liveness", ...patient])).code).toBe(0);
    expect((await run({}, ["healthcheck", "http", host, "--probe", "lively"])).code).toBe(2);
  });

  test("over a unix socket", async () => {
    await using server = serve({ bind: ["./app.sock"] });
    await server.log(/^listening/);
    expect((await run({}, ["healthcheck", "http", `${server.folder}/app.sock`, ...patient])).stdout).toBe("OK!\n");
  });

  test("tells when nobody listens, and when there is no answer in time", async () => {
    expect(await run({}, ["healthcheck", "http", "127.0.0.1:1"])).toEqual({
      code: 1,
      stdout: "",
      stderr: "127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1\n",
    });
    await using server = serve({ app: "health-checks.js", config: { hang: "true" } });
    const { host } = new URL(await server.listening());
    expect(await run({}, ["healthcheck", "http", host, "--timeout", "200 milliseconds"])).toEqual({
      code: 1,
      stdout: "",
      stderr: `${host}: no answer within 200 ms\n`,
    });
  });
});
