import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { openRaw } from "@tsserve/testing";
import { expect } from "vitest";
import { randomOf } from "./random-idl.ts";
import { benchClient, forms, payload, serveThrift } from "./thrift.ts";

/** What our client sends for a few calls, in every form. */
async function recordedRequests(): Promise<Buffer[]> {
  const recorded: Buffer[] = [];
  for (const form of forms) {
    for (const [method, values] of [
      ["echo", [payload(3)]],
      ["add_later", [1, 2, 0]],
      ["fail", [1]],
      ["note", ["fuzz"]],
    ] as const) {
      const sink = createServer((socket) => socket.once("data", (bytes: Buffer) => (recorded.push(bytes), socket.destroy()))).listen(
        0,
        "127.0.0.1",
      );
      await once(sink, "listening");
      using client = benchClient(`127.0.0.1:${(sink.address() as AddressInfo).port}`, { form, timeoutMs: 300 });
      const before = recorded.length;
      await client.call(method, values).catch(() => undefined);
      while (recorded.length === before) await new Promise((resolve) => setTimeout(resolve, 5));
      sink.close();
    }
  }
  return recorded;
}

/** Sends changed requests for so long, and expects that the server lives, answers others, and ends as it should. */
export async function fuzzThrift(seconds: number, firstSeed = 1): Promise<void> {
  await using server = serveThrift({ server: { access_log: "false", receive_timeout: "2 seconds", stop_timeout: "1 second" } });
  const endpoint = await server.endpoint();
  const requests = await recordedRequests();
  expect(requests).toHaveLength(24);
  using bystander = benchClient(endpoint, { size: 1 });
  const end = performance.now() + seconds * 1000;
  let seed = firstSeed;
  for (; performance.now() < end; seed++) {
    const random = randomOf(seed);
    using raw = await openRaw(`http://${endpoint}`);
    const parts = Array.from({ length: 1 + random(4) }, () => mutated(requests[random(requests.length)] as Buffer, random));
    const all = Buffer.concat(parts);
    // In pieces, some of them small.
    for (let at = 0; at < all.length;) {
      const size = random(4) === 0 ? 1 + random(20) : all.length;
      raw.send(all.subarray(at, at + size));
      at += size;
      if (random(3) === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    if (random(2) === 0) raw.socket.end();
    if (seed % 20 === 0) await expect(bystander.call("add_later", [seed, 1, 0]), `seed ${seed}`).resolves.toBe(seed + 1);
    expect(server.child.exitCode, `seed ${seed}: ${server.stderr()}`).toBe(null);
  }
  console.log(`fuzz: seeds ${firstSeed} to ${seed - 1}`);
  // A valid request is still answered as it should be.
  const sent = payload(20);
  expect(await bystander.call("echo", [sent])).toEqual(sent);
  server.kill("SIGTERM");
  // A changed delay may be days: such calls are cut.
  expect([0, 1]).toContain((await server.exited()).code);
  expect(server.logs().filter(({ level }) => level === "fatal")).toEqual([]);
  expect(server.stderr()).toBe("");
}

function mutated(bytes: Buffer, random: (below: number) => number): Buffer {
  const copy = Buffer.from(bytes);
  for (let change = random(6); change > 0; change--) {
    const at = random(copy.length);
    if (random(4) === 0 && at + 4 <= copy.length)
      copy.writeUInt32BE([0, 0x7fff_ffff, 0xffff_ffff, 0x8000_0000, 0x00ff_ffff][random(5)] as number, at);
    else copy[at] = random(3) === 0 ? 0xff : random(256);
  }
  return random(5) === 0 ? copy.subarray(0, random(copy.length + 1)) : copy;
}
