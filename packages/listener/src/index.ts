/**
 * Where connections arrive: sockets bound here, or inherited from a master, and the contract by
 * which a master passes them on (Einhorn's).
 *
 *     const [listener] = await boundListeners({ host: "localhost", port: 9090 });
 *     await listener.listen(netServer);
 */
export { bindSockets, handleOfInherited } from "./bind-sockets.ts";
export { boundListeners } from "./bound.ts";
export { acknowledge, readEinhornWorker } from "./einhorn.ts";
export { handleListener, inheritedListener } from "./inherited.ts";
export { isWithoutIpv6, ListenError, listenError } from "./listen-error.ts";
export { listenAtPath } from "./listen-at-path.ts";
export { checkUnixPath } from "./unix-path.ts";
export { clearStaleSocket, isSocketAlive } from "./unix-socket.ts";
export { SlotSockets } from "./slot-sockets.ts";
export { systemdDescriptors } from "./systemd.ts";
export { acceptAlso, endAccepting, leaveSocket, stopAccepting } from "./stop-accepting.ts";

export type { BoundSocket } from "./bind-sockets.ts";
export type { EinhornWorker, ProcessIdentity } from "./einhorn.ts";
export type { Listener } from "./listener.ts";
export type { ListenChoices, PlacedSocket, UnixSocketAccess } from "./unix-socket.ts";
