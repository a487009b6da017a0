import type { Delivery } from "../delivery.ts";

/** A delivery of a channel that the broker has not heard of yet. */
export class UnsettledDelivery {
  readonly tag: number;
  /** The message, for whoever hears of it. */
  delivery: Delivery | undefined = undefined;
  readonly receivedAtMs: number = performance.now();
  previous: UnsettledDelivery | undefined = undefined;
  next: UnsettledDelivery | undefined = undefined;
  /** `leaving`: acknowledged, but not told yet. `kept`: to go back when the channel closes. */
  state: "held" | "leaving" | "kept" | "settled" = "held";

  constructor(tag: number) {
    this.tag = tag;
  }
}

/**
 * The deliveries of one channel that the broker has not heard of, as a list in the order of their tags. It finds what can be told in
 * one word: an acknowledgement with `multiple` means all up to a tag (AMQP 0-9-1, `basic.ack`), and may be sent only when
 * none of those is still held. Most handlers end in about the order in which they began, so that one frame stands for dozens; each
 * costs about as much as the parsing of a small message, here and at the broker.
 */
export class Unsettled {
  #first: UnsettledDelivery | undefined;
  #last: UnsettledDelivery | undefined;
  #leaving: UnsettledDelivery[] = [];
  /** How many the broker has not heard of. */
  size = 0;
  /** How many of them go back when the channel closes. */
  kept = 0;

  /** Takes those that are acknowledged, and whose acknowledgement can't be told any more. */
  takeLeaving(): UnsettledDelivery[] {
    return this.#leaving.splice(0);
  }

  /** How many of them are acknowledged. */
  get leaving(): number {
    return this.#leaving.length;
  }

  /** Whether one that is acknowledged, and not told, has come before a time. */
  hasLeavingFromBefore(ms: number): boolean {
    const oldest = this.#first;
    // The first is the oldest of all: mostly that is the whole answer.
    return oldest !== undefined && oldest.receivedAtMs < ms && this.#leaving.some(({ receivedAtMs }) => receivedAtMs < ms);
  }

  /** Those that are acknowledged, and not told. */
  listLeaving(): UnsettledDelivery[] {
    return [...this.#leaving];
  }

  /** The highest tag that the broker has not heard of. */
  get highestTag(): number | undefined {
    return this.#last?.tag;
  }

  /** Tags ascend. */
  add(tag: number): UnsettledDelivery {
    const delivery = new UnsettledDelivery(tag);
    const last = this.#last;
    delivery.previous = last;
    if (last === undefined) this.#first = delivery;
    else last.next = delivery;
    this.#last = delivery;
    this.size += 1;
    return delivery;
  }

  /** The broker is told with the next `flush`. @returns false for one that has left already */
  acknowledge(delivery: UnsettledDelivery): boolean {
    if (delivery.state !== "held") return false;
    delivery.state = "leaving";
    this.#leaving.push(delivery);
    return true;
  }

  /** It goes back with all that is left when the channel closes. */
  keep(delivery: UnsettledDelivery): void {
    if (delivery.state !== "held") return;
    delivery.state = "kept";
    this.kept += 1;
  }

  /** The broker has been told of it in another way. @returns false for one that has left already */
  remove(delivery: UnsettledDelivery): boolean {
    if (delivery.state !== "held") return false;
    this.#unlink(delivery);
    return true;
  }

  /** Tells of all that are acknowledged: as one those from the oldest on without a gap, the others singly. */
  flush(send: (tag: number, multiple: boolean) => void): void {
    if (this.#leaving.length === 0) return;
    const leaving = this.#leaving;
    this.#leaving = [];
    let count = 0;
    let upTo = 0;
    for (let oldest = this.#first; oldest?.state === "leaving"; oldest = this.#first) {
      this.#unlink(oldest);
      upTo = oldest.tag;
      count += 1;
    }
    if (count > 0) send(upTo, count > 1);
    if (count === leaving.length) return;
    for (const delivery of leaving) {
      if (delivery.state === "settled") continue;
      this.#unlink(delivery);
      send(delivery.tag, false);
    }
  }

  #unlink(delivery: UnsettledDelivery): void {
    const { previous, next } = delivery;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    delivery.previous = undefined;
    delivery.next = undefined;
    delivery.state = "settled";
    this.size -= 1;
  }
}
