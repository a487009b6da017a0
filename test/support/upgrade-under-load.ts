import { until } from "@tsserve/testing";
import { expect } from "vitest";
import { get, serveFleet, up } from "./fleet.ts";
import { Loads } from "./loads.ts";

/** Carries bodies both ways, at once and slowly. */
const carrier = (greeting: string): string => `const large = Buffer.alloc(3e6, "x");
const stream = (response, n = 0) => (n === 20 ? response.end() : (response.write(n + "\\n"), setTimeout(stream, 50, response, n + 1)));
export const makeApp = () => (request, response) => {
  if (request.url === "/echo") request.pipe(response);
  else if (request.url === "/large") response.end(large);
  else if (request.url === "/stream") stream(response);
  else response.end(JSON.stringify({ greeting: "${greeting}" }));
};
`;

/** On a busy machine a client may stand still for a while before it sends what it had in mind, or reads what it asked for. */
export const unhurried = "drain_time = 1 second\nstop_timeout = 60";

/** Upgrades so many times in a row under every kind of load, and expects that nothing is lost. */
export async function upgradeUnderLoad(times: number): Promise<void> {
  await using fleet = await serveFleet({ server: unhurried, app: carrier("generation 1") });
  await up(fleet, 2);
  const loads = new Loads(fleet.port);
  const body = "0123456789abcdef".repeat(1024);
  const echoes = (answer: string): boolean => answer === body;
  loads.begin("kept", { clients: 8, keepAlive: true, body, path: "/echo", expect: echoes });
  loads.begin("new", { clients: 8, keepAlive: false, body, path: "/echo", expect: echoes });
  // How long a client that keeps its connection may take to read is bounded, and how slow this one is depends on the machine.
  loads.begin("slow", { clients: 2, keepAlive: false, path: "/large", readDelayMs: 10, expect: (answer) => answer.length === 3e6 });
  loads.begin("streams", { clients: 4, keepAlive: true, path: "/stream", expect: (answer) => answer.endsWith("19\n") });
  try {
    for (let generation = 2; generation <= 1 + times; generation++) {
      fleet.write("app.js", carrier(`generation ${generation}`));
      expect(await fleet.ctl("upgrade")).toMatchObject({ code: 0 });
      // The old ones answer, too, while they drain; what is lost is the loads' matter.
      await until("its answer", async () => (await get(fleet).catch(() => undefined))?.greeting === `generation ${generation}`);
    }
    await loads.served(1);
  } finally {
    expect(await loads.end()).toEqual({});
  }
}
