import { expect, test } from "vitest";
import { OutputSlab } from "./output-slab.ts";

/** Writes so many bytes as a message of its own; gives where they are. */
function write(slab: OutputSlab, length: number, value: number): { readonly bytes: Buffer; readonly start: number; readonly end: number } {
  const start = slab.begin();
  const { bytes } = slab;
  bytes.fill(value, start, start + length);
  slab.end(bytes, start + length);
  slab.queued(bytes);
  return { bytes, start, end: start + length };
}

test("when all that was written has been handed on, the same memory is used from its beginning", () => {
  const slab = new OutputSlab();
  const { bytes } = slab;
  for (let round = 0; round < 1000; round++) {
    expect(write(slab, 700, round & 0xff)).toMatchObject({ start: 0 });
    expect(write(slab, 900, round & 0xff)).toMatchObject({ start: 700 });
    slab.handedOn(2, false);
  }
  expect(slab.bytes).toBe(bytes);
});

test("what waits is not written over, however much comes meanwhile", () => {
  const slab = new OutputSlab();
  const waiting = write(slab, 20_000, 7);
  for (let round = 0; round < 100; round++) {
    write(slab, 30_000, 1);
    slab.handedOn(1, false);
  }
  expect(waiting.bytes.subarray(waiting.start, waiting.end).every((byte) => byte === 7)).toBe(true);
});

test("memory that the kernel has not taken is left to the socket", () => {
  const slab = new OutputSlab();
  const held = write(slab, 1000, 7);
  slab.handedOn(1, true);
  expect(slab.bytes).not.toBe(held.bytes);
  expect(slab.begin()).toBe(0);
});

test("a message that outgrew it is kept until it has been handed on; then the memory is of the usual size", () => {
  const slab = new OutputSlab();
  const usual = slab.bytes.length;
  const larger = Buffer.alloc(usual * 4);
  slab.end(larger, usual * 3);
  slab.queued(larger);
  expect(slab.bytes).toBe(larger);
  slab.handedOn(1, false);
  expect([slab.bytes.length, slab.position]).toEqual([usual, 0]);
});
