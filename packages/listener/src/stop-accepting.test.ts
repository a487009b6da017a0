import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { expect, test } from "vitest";
import { makeListener } from "./listener.ts";
import { endAccepting } from "./stop-accepting.ts";

/** A server with clients in its queue, which it has had no time to accept. */
async function crowded(clients: number): Promise<{ server: Server; outcomes: Promise<string>[] }> {
  const server = createServer((socket) => socket.on("error", () => undefined).once("data", () => socket.end("answered")));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const outcomes = Array.from({ length: clients }, () => {
    const socket = connect(port, "127.0.0.1");
    let answer = "";
    socket.on("data", (chunk) => (answer += chunk.toString())).on("error", () => undefined);
    socket.write("a line");
    return new Promise<string>((resolve) => socket.once("close", () => resolve(answer)));
  });
  await new Promise((resolve) => process.nextTick(resolve));
  return { server, outcomes };
}

const endpoint = { host: "127.0.0.1", port: 0 };
const never = (): never => {
  throw new Error("nobody listens anew");
};

test.each([
  { what: "bound here", inherited: false, isLast: undefined, serves: true },
  { what: "inherited, and the last to have it", inherited: true, isLast: () => true, serves: true },
  { what: "inherited, and others have it", inherited: true, isLast: undefined, serves: false },
])("of a socket that is $what, those who wait in the queue are served first: $serves", async ({ inherited, isLast, serves }) => {
  const { server, outcomes } = await crowded(20);
  const ended = endAccepting([server], [makeListener(endpoint, inherited, never, isLast)]);
  // Nobody else has it in this test: the kernel resets them.
  expect(server.listening).toBe(serves);
  await ended;
  expect(server.listening).toBe(false);
  expect(await Promise.all(outcomes)).toEqual(outcomes.map(() => (serves ? "answered" : "")));
});

test("what it is asked of a listener, it is asked when accepting ends, and of no acceptor that has ended or is nobody's", async () => {
  const { server } = await crowded(0);
  const [ended, borrowed] = [createServer(), (await crowded(0)).server];
  let isLast = false;
  const listener = makeListener(endpoint, true, never, () => isLast);
  isLast = true;
  await endAccepting([server, ended, borrowed], [listener, makeListener(endpoint, false, never)]);
  expect([server.listening, borrowed.listening]).toEqual([false, false]);
});
