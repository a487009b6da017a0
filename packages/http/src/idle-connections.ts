import type { Connection } from "./connection.ts";

/**
 * The connections with nothing in progress, the longest idle first, as a list that runs through the connections
 * themselves: each request takes its connection out and brings it back, and whoever needs room takes the first.
 */
export class IdleConnections {
  #first: Connection | undefined;
  #last: Connection | undefined;

  get longest(): Connection | undefined {
    return this.#first;
  }

  /** Its idling begins now. Nothing happens to one that is in the list. */
  add(connection: Connection): void {
    if (connection.idleBefore !== undefined || this.#first === connection) return;
    const last = this.#last;
    connection.idleBefore = last;
    if (last === undefined) this.#first = connection;
    else last.idleAfter = connection;
    this.#last = connection;
  }

  /** Nothing happens to one that is not in the list. */
  delete(connection: Connection): void {
    const { idleBefore: before, idleAfter: after } = connection;
    if (before === undefined && this.#first !== connection) return;
    if (before === undefined) this.#first = after;
    else before.idleAfter = after;
    if (after === undefined) this.#last = before;
    else after.idleBefore = before;
    connection.idleBefore = undefined;
    connection.idleAfter = undefined;
  }
}
