import type { Connection } from "./connection.ts";

/** A WebSocket close frame with status 1001, "going away" (RFC 6455, sections 5.5.1 and 7.4.1). */
const goingAway = Buffer.from([0x88, 0x02, 0x03, 0xe9]);

/**
 * Tells the client of an upgraded connection that the server goes away, where the protocol has words for it. Into a
 * handshake, or into another protocol, nothing is written.
 */
export function tellGoingAway({ socket, upgrade }: Connection, isEnding: boolean): void {
  const protocol = upgrade?.incoming.headers.upgrade;
  if (isEnding && protocol?.toLowerCase() === "websocket" && upgrade?.switchStatus === 101 && socket.writable) socket.write(goingAway);
}
