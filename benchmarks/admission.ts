// What does a connection cost that arrives when the server is full? Each takes the place of the longest idle one. No sockets: the
// cost of the admission and of the list of idle connections alone, with few and with many connections.
// node --import tsx benchmarks/admission.ts [CONNECTIONS] [ARRIVALS]
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { Admission, systemClock } from "@tsserve/server";
import type { Connection } from "../packages/http/src/connection.ts";
import { IdleConnections } from "../packages/http/src/idle-connections.ts";
import { median } from "./servers.ts";

const many = Number(process.argv[2] ?? 10_000);
const arrivals = Number(process.argv[3] ?? 100_000);
/** So many arrive in one turn of the event loop. */
const atOnce = 100;
const rounds = 15;

class FakeSocket extends EventEmitter {
  destroyed = false;
  resume(): void {}
  destroy(): void {
    this.destroyed = true;
    this.emit("close");
  }
}

type Held = Pick<Connection, "idleBefore" | "idleAfter"> & { readonly socket: FakeSocket };

/** Gives microseconds for one arrival. */
async function arrive(limit: number): Promise<number> {
  const idle = new IdleConnections();
  let open = 0;
  const admission: Admission = new Admission(
    limit,
    {
      count: () => open,
      takeIdle: () => {
        const { longest } = idle;
        if (longest === undefined) return undefined;
        idle.delete(longest);
        return longest.socket;
      },
    },
    systemClock,
    () => undefined,
  );
  const serve = (socket: FakeSocket): void => {
    const held: Held = { idleBefore: undefined, idleAfter: undefined, socket };
    open += 1;
    socket.once("close", () => {
      open -= 1;
      idle.delete(held as unknown as Connection);
      admission.left();
    });
    idle.add(held as unknown as Connection);
  };
  const come = (): void => {
    const socket = new FakeSocket();
    admission.arrive(socket as unknown as Socket, () => serve(socket));
  };
  for (let count = 0; count < limit; count++) come();
  const begun = process.cpuUsage();
  for (let count = 0; count < arrivals; count += atOnce) {
    for (let each = 0; each < atOnce; each++) come();
    while (admission.waiting > 0) await turn();
  }
  const { user, system } = process.cpuUsage(begun);
  return (user + system) / arrivals;
}

const few = Math.max(atOnce, Math.round(many / 100));
await arrive(few);
const measured: Record<number, number[]> = { [few]: [], [many]: [] };
for (let round = 0; round < rounds; round++) for (const limit of [few, many]) measured[limit]?.push(await arrive(limit));
for (const [limit, figures] of Object.entries(measured))
  console.log(
    `${limit} connections: ${median(figures).toFixed(2)} µs of CPU time an arrival, ${arrivals} arrivals, Node ${process.version}`,
  );
