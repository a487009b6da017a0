import { Socket } from "node:net";

/** What Node's sockets have that is not documented: checked for before it is used. */
interface HandleHolder {
  _handle: { readonly useUserBuffer?: unknown } | null;
}

const bufferBytes = 64 * 1024;

/** Takes bytes that came; their memory is used again when it returns. */
export type OnBytes = (this: Socket, bytes: Buffer, count: number) => void;

/**
 * Makes the connections of a server read into one buffer, as `net.connect` can with `onread` and `net.createServer`
 * can't: what comes is looked at at once, so no connection needs a buffer of its own. Saves an allocation and
 * most of Node's stream machinery for each read.
 */
export class SharedReads {
  readonly #buffer: Buffer = Buffer.allocUnsafeSlow(bufferBytes);

  /**
   * Takes a connection over from the socket that a server has just accepted.
   *
   * @returns the socket that has it now; the same, with nothing changed, where Node does not have what it takes
   */
  takeOver(accepted: Socket, onBytes: OnBytes): { readonly socket: Socket; readonly isShared: boolean } {
    const holder = accepted as unknown as HandleHolder;
    const handle = holder._handle;
    if (typeof handle?.useUserBuffer !== "function" || accepted.bytesRead > 0) return { socket: accepted, isShared: false };
    holder._handle = null;
    accepted.destroy();
    const onread = {
      buffer: this.#buffer,
      callback: (count: number, bytes: Uint8Array): boolean => {
        onBytes.call(socket, bytes as Buffer, count);
        return true;
      },
    };
    // The types know `handle` and `onread` for `connect` only.
    const socket: Socket = new Socket({ handle, onread, allowHalfOpen: true, readable: true, writable: true } as object);
    return { socket, isShared: true };
  }
}
