import { Socket } from "node:net";
import { connectionKey, type TrackedSocket } from "./connection.ts";

const longestMs = 1000;

/**
 * In the place of `Socket#destroySoon`, which Node calls after the last response of a connection. A socket
 * that is closed while something it received is unread answers with a reset, and a client that is still
 * sending its too large body then meets the reset before the 413 (RFC 9112, section 9.6). So what it
 * sends is read to its end, for a second at most.
 */
export function destroyWhenRead(this: Socket): void {
  const connection = (this as TrackedSocket)[connectionKey];
  if (connection === undefined || connection.lingers || !connection.awaitsBody || this.destroyed) {
    Socket.prototype.destroySoon.call(this);
    return;
  }
  connection.lingers = true;
  this.end();
  const limit = setTimeout(() => this.destroy(), longestMs).unref();
  this.once("end", () => this.destroy());
  this.once("close", () => clearTimeout(limit));
  this.resume();
}
