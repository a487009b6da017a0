import type { Socket } from "node:net";
import type { Logger } from "pino";

/** What a request needs of the connection that it came on, and that its answer leaves by. */
export interface RequestOrigin {
  readonly socket: Socket;
  readonly log: Logger;
  /** Requests in progress, one-way ones among them. */
  activeRequests: number;
  /** When what came last on it came, on the clock of `performance.now`: asking that for each request again costs a hundredth of one. */
  readonly receivedAt: number;
  /** The place of a request's answer among those of this connection. */
  takeOrder(): number;
  /** Whether it is the turn of an answer. */
  isDue(order: number): boolean;
  /** Keeps an answer until those before it are ready. */
  hold(order: number, answer: Buffer): void;
  /** Sends a part of the slab: the answer that is due, unless `isOrdered` is false. */
  send(bytes: Buffer, start: number, end: number, isOrdered: boolean): void;
  /** A request is over, and its answer, if it has one, queued. */
  requestEnded(): void;
}
