import { Socket } from "node:net";

/** What Node has gathered while a socket was corked. */
interface Piece {
  readonly chunk: string | Uint8Array;
  readonly encoding: BufferEncoding;
}

type Callback = (error?: Error | null) => void;

/** Of a writable stream, what Node calls with one piece, and with several (nodejs.org/api/stream.html#writable_writevchunks-callback). */
interface PieceWriter {
  _write(chunk: string | Uint8Array, encoding: BufferEncoding, callback: Callback): void;
  _writev(pieces: readonly Piece[], callback: Callback): void;
}

const { _writev: writeSeveral } = Socket.prototype as unknown as PieceWriter;

/**
 * Has the answers on a socket leave in one piece where they are one. Until version 22 Node ends each with an empty piece, which it
 * only waits for (`end` in github.com/nodejs/node/blob/v20.x/lib/_http_outgoing.js), and two pieces, whatever is in
 * them, take the way of many: a list, a copy of each text and `writev`, more than a microsecond of an answer's seventeen.
 */
export function writeWhole(socket: Socket): void {
  if (typeof writeSeveral === "function") (socket as unknown as PieceWriter)._writev = writeWithoutEmptyEnd;
}

function writeWithoutEmptyEnd(this: PieceWriter, pieces: readonly Piece[], callback: Callback): void {
  if (pieces.length === 2) {
    const [{ chunk, encoding }, last] = pieces as readonly [Piece, Piece];
    if (last.chunk.length === 0) {
      this._write(chunk, encoding, callback);
      return;
    }
  }
  writeSeveral.call(this, pieces, callback);
}
