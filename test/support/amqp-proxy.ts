import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** Stands between a worker and RabbitMQ, and sees every frame of AMQP that they send each other. */
export interface AmqpProxy extends AsyncDisposable {
  readonly port: number;
  /** Whether the step of `afterDelivery` has come. */
  readonly hasStepped: boolean;
  /** Calls back when so many frames have gone, either way, after the first message; then nothing goes any more. */
  afterDelivery(frames: number, callback: () => void): void;
  /** The next frame with a method, and what comes behind it, waits until `during` has ended. */
  holdBack(method: number, during: () => Promise<void>): void;
}

/** `basic.cancel-ok`: class 60, method 31. */
export const cancelOkMethod = 0x3c001f;

/** `basic.deliver`: class 60, method 60 (AMQP 0-9-1, section 1.8.3.9). */
const deliverMethod = 0x3c003c;
const methodFrame = 1;
const frameOverhead = 8;
const protocolHeader = "AMQP";

/** @param upstream the broker's port */
export async function amqpProxy(upstream: number): Promise<AmqpProxy> {
  let callback: (() => void) | undefined;
  let left = Number.POSITIVE_INFINITY;
  let hasDelivered = false;
  let hasStepped = false;
  let holding: { readonly method: number; during(): Promise<void> } | undefined;
  const sockets = new Set<Socket>();

  const pass = (frame: Buffer, to: Socket): void => {
    if (hasStepped) return;
    to.write(frame);
    if (hasDelivered) left -= 1;
    hasDelivered ||= methodOf(frame) === deliverMethod;
    if (left > 0) return;
    hasStepped = true;
    callback?.();
    // As the kernel does for a process that is gone: what it has written still arrives.
    for (const socket of sockets) socket.end();
  };

  const forward = (from: Socket, to: Socket): void => {
    let received: Buffer = Buffer.alloc(0);
    let before: Promise<void> | undefined;
    const inTurn = (act: () => void): void => {
      if (before === undefined) act();
      else before = before.then(act);
    };
    from.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      for (let length = frameLength(received); received.length >= length; length = frameLength(received)) {
        const frame = received.subarray(0, length);
        received = received.subarray(length);
        if (holding !== undefined && methodOf(frame) === holding.method) {
          const { during } = holding;
          holding = undefined;
          before = (before ?? Promise.resolve()).then(during);
        }
        inTurn(() => pass(frame, to));
      }
    });
    from.on("end", () => inTurn(() => to.end()));
    from.on("error", () => to.destroy());
    from.on("close", () => sockets.delete(from));
    sockets.add(from);
  };

  const server = createServer((client) => {
    const broker = connect(upstream, "127.0.0.1");
    forward(client, broker);
    forward(broker, client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    get hasStepped() {
      return hasStepped;
    },
    afterDelivery: (frames, then) => {
      left = frames;
      callback = then;
    },
    holdBack: (method, during) => void (holding = { method, during }),
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Class and method of a frame; `undefined` for what is content, a heartbeat, or the beginning of a connection. */
function methodOf(frame: Buffer): number | undefined {
  return frame[0] === methodFrame ? frame.readUInt32BE(7) : undefined;
}

/** Of the first frame: one byte of type, two of channel, four of size, the payload, one that ends it; a connection begins with `AMQP0091`. */
function frameLength(bytes: Buffer): number {
  if (bytes.toString("latin1", 0, 4) === protocolHeader) return 8;
  return bytes.length < frameOverhead ? Number.POSITIVE_INFINITY : frameOverhead + bytes.readUInt32BE(3);
}
