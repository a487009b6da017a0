import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { MasterChannel, type ParentChannel } from "./master-channel.ts";

/** A channel whose other end is the test. */
function channelOf(send?: (message: unknown, handle: unknown, options: unknown, sent: (error: Error | null) => void) => void) {
  const emitter = Object.assign(new EventEmitter(), { connected: send !== undefined, send, channel: undefined });
  return { emitter, channel: new MasterChannel(emitter as unknown as ParentChannel) };
}

test("what comes before somebody listens is kept for them, in order and each for its own", () => {
  const { emitter, channel } = channelOf();
  const heard: unknown[] = [];
  emitter.emit("message", { type: "tsserve:metrics-socket" }, { handle: 1 });
  emitter.emit("message", { type: "tsserve:stop", reason: "upgrade" });
  emitter.emit("message", { type: "tsserve:metrics-socket" }, { handle: 2 });
  channel.on("tsserve:metrics-socket", (_, handle) => heard.push(handle));
  expect(heard).toEqual([{ handle: 1 }, { handle: 2 }]);
  channel.on("tsserve:stop", ({ reason }) => heard.push(reason));
  emitter.emit("message", { type: "tsserve:stop", reason: "stop" });
  expect(heard.slice(2)).toEqual(["upgrade", "stop"]);
});

test("what is the app's, or makes no sense, reaches nobody", () => {
  const { emitter, channel } = channelOf();
  const heard: unknown[] = [];
  channel.on("tsserve:stop", (message) => heard.push(message));
  for (const value of [null, "tsserve:stop", { type: "stop" }, { type: "tsserve:stop" }, { type: "tsserve:stop", reason: 7 }])
    emitter.emit("message", value);
  expect(heard).toEqual([]);
});

test("tells whether the master has been told, and when it has gone", async () => {
  const sent: unknown[] = [];
  const { emitter, channel } = channelOf((message, _handle, _options, done) => {
    sent.push(message);
    done(sent.length === 1 ? null : new Error("EPIPE"));
  });
  expect(await channel.tell({ type: "tsserve:acknowledge" })).toBe(true);
  expect(await channel.tell({ type: "tsserve:leaving", reason: "SIGTERM" })).toBe(false);
  expect(sent).toEqual([{ type: "tsserve:acknowledge" }, { type: "tsserve:leaving", reason: "SIGTERM" }]);
  let gone = 0;
  channel.onGone(() => (gone += 1));
  expect(gone).toBe(0);
  emitter.emit("disconnect");
  expect(gone).toBe(1);
  const closed = channelOf();
  closed.channel.onGone(() => (gone += 1));
  expect([gone, await closed.channel.tell({ type: "tsserve:acknowledge" })]).toEqual([2, false]);
});
