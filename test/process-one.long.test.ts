import { bindDescriptor, load, lost, until, type LoadResult } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { asProcessOne, catches, childrenOf, mayBeProcessOne, processOneOf } from "./support/process-one.ts";
import { serve, type Served, type ServeOptions } from "./support/serve.ts";
import { watchStandstills } from "./support/standstills.ts";
import { benchClient } from "./support/thrift.ts";

/** More of them by hand: `TSSERVE_STOPS=100 npm run test:long -- test/process-one.long.test.ts`. */
const stops = Number(process.env["TSSERVE_STOPS"] ?? 2);

async function startAsProcessOne(options: ServeOptions): Promise<Served> {
  const server = serve({ ...options, ...asProcessOne() });
  await server.log(/^listening on |^worker \d.* is up$/);
  return server;
}

/**
 * One after the other serves as PID 1, and is asked to stop when the next one serves on the same socket, which the test holds as systemd
 * or a proxy would: whatever is lost was lost by the stop.
 */
async function stopAgainAndAgain(options: ServeOptions, fd: number, beginLoad: () => () => Promise<void>): Promise<void> {
  const all = {
    ...options,
    server: { drain_time: "300 milliseconds", access_log: "false", "metrics.enabled": "false", ...options.server },
    bind: ["fd://3"],
    descriptors: [fd],
  };
  let serving = await startAsProcessOne(all);
  const endLoad = beginLoad();
  try {
    for (let stop = 0; stop < stops; stop++) {
      await using old = serving;
      serving = await startAsProcessOne(all);
      process.kill(await processOneOf(old), "SIGTERM");
      expect(await old.exited(60_000), old.stdout().slice(-2000)).toEqual({ code: 0, signal: null });
    }
  } finally {
    await endLoad();
    await serving[Symbol.asyncDispose]();
  }
}

const isPossible = mayBeProcessOne();

describe.skipIf(!isPossible).each([
  ["a single process", []],
  ["a master with two workers", ["--workers", "2"]],
])("%s as PID 1", (_name, args) => {
  test(`answers every HTTP request, and ends with 0: ${stops} stops under load`, async () => {
    using bound = bindDescriptor();
    using standstills = watchStandstills();
    let counted: LoadResult[] = [];
    await stopAgainAndAgain({ app: "slow.js", args }, bound.fd, () => {
      const end = new AbortController();
      const options = { port: bound.port, path: "/sleep/5", clients: 8, expect: '{"slept":"5"}', signal: end.signal };
      const loads = [load({ ...options, keepAlive: true }), load({ ...options, keepAlive: false })];
      return async () => {
        end.abort();
        counted = await Promise.all(loads);
      };
    });
    for (const result of counted) {
      if (stops > 2) console.log(JSON.stringify(result));
      // A process that stood still could not hear in time that its kept connections end.
      expect(lost(result), result.failures.join("; ")).toBeLessThanOrEqual(standstills.count() * 8);
      expect(result.ok).toBeGreaterThan(stops * 20);
    }
  });

  // In the suite, the one with workers says little that the other and that of HTTP do not.
  test.skipIf(stops <= 2 && args.length > 0)(`answers every Thrift call, and ends with 0: ${stops} stops under load`, async () => {
    using bound = bindDescriptor();
    using standstills = watchStandstills();
    let answered = 0;
    const failures: unknown[] = [];
    await stopAgainAndAgain({ app: "thrift-loaded.js", args, server: { factory: "tsserve/thrift" } }, bound.fd, () => {
      const over = new AbortController();
      const clients = [1, 8].map((maxPipelined) => benchClient(`127.0.0.1:${bound.port}`, { size: 8, maxPipelined }));
      const callers = Array.from({ length: 16 }, async (_, index) => {
        while (!over.signal.aborted) {
          await clients[index % 2]?.call("add_later", [index, 1, index % 3]).then(
            (sum) => (sum === index + 1 ? (answered += 1) : failures.push(sum)),
            (error: unknown) => failures.push(error),
          );
        }
      });
      return async () => {
        over.abort();
        await Promise.all(callers);
        for (const client of clients) client[Symbol.dispose]();
      };
    });
    if (stops > 2) console.log(`${answered} calls answered, ${failures.length} lost, ${standstills.count()} standstills of the clients`);
    // Clients of a process that stood still could not hear in time that they had to leave.
    expect(failures.length).toBeLessThanOrEqual(standstills.count() * 16);
    expect(answered).toBeGreaterThan(stops * 20);
  });
});

describe.skipIf(!isPossible)("signals and children of PID 1", () => {
  const settings = { "metrics.enabled": "false" };
  /** Sends it to PID 1, from outside, as a container's runtime does. */
  const send = async (server: Served, signal: NodeJS.Signals): Promise<void> => void process.kill(await processOneOf(server), signal);

  test("SIGTERM ends it with 0 from the first instruction on, before it listens, too", async () => {
    const each = async (delayMs: number): Promise<void> => {
      await using server = serve({ server: settings, ...asProcessOne() });
      const pid = await processOneOf(server);
      // Node begins with a handler of its own for SIGTERM, which passes it on to the kernel, and that keeps it from PID 1. Ours come with
      // the first instruction, SIGHUP's last of all.
      await until("the first instruction", () => catches(pid, "SIGHUP"));
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      await send(server, "SIGTERM");
      expect(await server.exited(), `after ${delayMs} ms`).toEqual({ code: 0, signal: null });
    };
    await Promise.all([0, 30, 200].map(each));
  });

  test("SIGQUIT, which the kernel keeps from it, does nothing, and SIGINT ends it with 0", async () => {
    await using server = await startAsProcessOne({ server: settings });
    const base = await server.listening();
    await send(server, "SIGQUIT");
    await send(server, "SIGUSR1");
    await server.log(/^SIGUSR1/);
    expect((await fetch(base)).status).toBe(200);
    await send(server, "SIGINT");
    expect(await server.exited()).toEqual({ code: 0, signal: null });
  });

  test.each([["a single process"], ["a master", "--workers", "1"]])(
    "of %s: orphans that the app leaves behind keep it neither from serving nor from its end",
    async (_name, ...args) => {
      await using server = await startAsProcessOne({ app: "leaves-orphans.js", server: settings, args });
      const base = (await server.log(/^listening on |^master of /))["addresses"] as string[];
      const ask = async (path: string): Promise<string> => (await fetch(`http://${base[0]?.replace(/^http:../, "")}${path}`)).text();
      expect(await ask("/orphans")).toBe("left 5 behind");
      // PID 1 gets them all, and Node waits for none but its own children (docs/workers.md).
      const one = await processOneOf(server);
      await until("orphans that have ended", () => childrenOf(one).filter(({ state }) => state === "Z").length >= 5);
      expect(await ask("/orphans")).toBe("left 5 behind");
      await send(server, "SIGTERM");
      expect(await server.exited()).toEqual({ code: 0, signal: null });
    },
  );
});
