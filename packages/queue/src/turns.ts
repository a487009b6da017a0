import type { Delivery } from "./delivery.ts";

/** The only group of a consumer that handles one message at a time. */
const everything = "";

/**
 * The messages that wait in a worker for their turn, in the order in which they came: of one group (a group of a FIFO queue; all
 * messages of an ordered consumer) one is out at a time, and of those that may kill their worker one runs at a time.
 */
export class Turns {
  readonly #isOrdered: boolean;
  #waiting: Delivery[] = [];
  /** Groups of which a message runs, or waits for its retry. */
  readonly #busyGroups = new Set<string>();
  #suspectsRunning = 0;
  /** Whether messages that came back without a word have come, and none of them has succeeded yet. */
  #isSuspicious = false;

  constructor(isOrdered: boolean) {
    this.#isOrdered = isOrdered;
  }

  get size(): number {
    return this.#waiting.length;
  }

  add(delivery: Delivery): void {
    if (delivery.isSuspect) this.#isSuspicious = true;
    this.#waiting.push(delivery);
  }

  /** Before all others: it has had its turn, and gets it again. */
  addFirst(delivery: Delivery): void {
    this.#waiting.unshift(delivery);
  }

  /** The place of the first whose turn may be now; -1 when it is nobody's. */
  next(): number {
    const holdsSuspects = this.#isSuspicious && this.#suspectsRunning > 0;
    if (!holdsSuspects && this.#busyGroups.size === 0) return this.#waiting.length === 0 ? -1 : 0;
    return this.#waiting.findIndex((delivery) => {
      const group = this.groupOf(delivery);
      return (group === undefined || !this.#busyGroups.has(group)) && !(holdsSuspects && delivery.isSuspect);
    });
  }

  /** Takes the one at a place that `next` gave; its group waits from now on. */
  take(index: number): Delivery {
    const delivery = (index === 0 ? this.#waiting.shift() : this.#waiting.splice(index, 1)[0]) as Delivery;
    const group = this.groupOf(delivery);
    if (group !== undefined) this.#busyGroups.add(group);
    return delivery;
  }

  takeAll(): Delivery[] {
    return this.#waiting.splice(0);
  }

  /** Forgets those that the broker has taken back: it hands them out again, to whomever. */
  dropStale(): void {
    this.#waiting = this.#waiting.filter((delivery) => !delivery.isStale);
  }

  /** Its handler is called now. */
  begun(delivery: Delivery): void {
    if (delivery.isSuspect) this.#suspectsRunning += 1;
  }

  /** Its handler has ended, well or not. */
  ended(delivery: Delivery, isWell: boolean): void {
    if (!delivery.isSuspect) return;
    this.#suspectsRunning -= 1;
    if (isWell) this.#isSuspicious = false;
  }

  /** The next one of its group may go. @returns whether that makes a difference */
  freeGroup(delivery: Delivery): boolean {
    const group = this.groupOf(delivery);
    return group !== undefined && this.#busyGroups.delete(group);
  }

  groupOf(delivery: Delivery): string | undefined {
    return this.#isOrdered ? everything : delivery.group;
  }
}
