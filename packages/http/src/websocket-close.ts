import type { Connection } from "./connection.ts";

/**
 * Tells the client of a WebSocket why it ends (RFC 6455, sections 5.5.1 and 7.4.1): 1001, "going away", or 1012, "service
 * restart". Into a handshake, or into another protocol, nothing is written.
 */
export function tellGoingAway({ socket, upgrade }: Connection, code: number): void {
  const protocol = upgrade?.incoming.headers.upgrade;
  if (protocol?.toLowerCase() !== "websocket" || upgrade?.switchStatus !== 101 || upgrade.isToldToGo || !socket.writable) return;
  upgrade.isToldToGo = true;
  upgrade.connection.endReason ??= "drain";
  socket.write(Buffer.from([0x88, 0x02, code >> 8, code & 0xff]));
}
