import type { Socket } from "node:net";
import { expect, test } from "vitest";
import { randomOf } from "../../../../test/support/random-idl.ts";
import { Outbox } from "./outbox.ts";
import { OutputSlab } from "./output-slab.ts";

/** A socket whose kernel takes what it is given now, or keeps it for later: then its memory must stay as it is. */
class Kernel {
  writable = true;
  connecting = false;
  takesAll = true;
  readonly #waiting: { readonly bytes: Buffer; readonly was: Buffer }[] = [];
  readonly #sent: Buffer[] = [];

  get writableLength(): number {
    return this.#waiting.length;
  }

  write(bytes: Buffer): boolean {
    if (this.takesAll && this.#waiting.length === 0) this.#sent.push(Buffer.from(bytes));
    else this.#waiting.push({ bytes, was: Buffer.from(bytes) });
    return true;
  }

  /** Takes what waits; it must be what it was when it was given. */
  drain(): void {
    for (const { bytes, was } of this.#waiting.splice(0)) {
      expect(bytes.equals(was)).toBe(true);
      this.#sent.push(was);
    }
  }

  get sent(): Buffer {
    return Buffer.concat(this.#sent);
  }
}

test("what connections write into shared memory leaves in order and as it was, however slowly the kernel takes it", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = randomOf(seed);
    const slab = new OutputSlab();
    const lines = Array.from({ length: 3 }, () => {
      const kernel = new Kernel();
      return { kernel, outbox: new Outbox(kernel as unknown as Socket, slab), expected: [] as Buffer[] };
    });
    for (let step = 0; step < 300; step++) {
      const line = lines[random(lines.length)] as (typeof lines)[number];
      const what = random(10);
      if (what < 6) {
        const length = random(12) === 0 ? 40_000 + random(400_000) : 1 + random(2000);
        const start = slab.begin();
        // A message that outgrows the slab is moved to memory of its own, as a writer's `reserve` does.
        const bytes = start + length > slab.bytes.length ? Buffer.alloc(start + length) : slab.bytes;
        bytes.fill(random(256), start, start + length);
        slab.end(bytes, start + length);
        line.expected.push(Buffer.from(bytes.subarray(start, start + length)));
        line.outbox.add(bytes, start, start + length);
      } else if (what < 8) line.outbox.flush();
      else if (what === 8) line.kernel.takesAll = !line.kernel.takesAll;
      else line.kernel.drain();
    }
    for (const { kernel, outbox, expected } of lines) {
      outbox.flush();
      kernel.drain();
      expect(outbox.isEmpty).toBe(true);
      expect(kernel.sent.equals(Buffer.concat(expected))).toBe(true);
    }
  }
});

test("what a socket that has ended can't take is dropped, and its memory used again", () => {
  const slab = new OutputSlab();
  const kernel = new Kernel();
  const outbox = new Outbox(kernel as unknown as Socket, slab);
  kernel.writable = false;
  for (let count = 0; count < 3; count++) {
    const start = slab.begin();
    expect(start).toBe(0);
    slab.end(slab.bytes, start + 100);
    outbox.add(slab.bytes, start, start + 100);
    outbox.flush();
  }
  expect([outbox.isEmpty, kernel.sent.length]).toEqual([true, 0]);
});
