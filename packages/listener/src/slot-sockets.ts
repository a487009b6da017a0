import type { Endpoint } from "@tsserve/config";
import type { ListenChoices } from "./unix-socket.ts";
import { bindBeside, bindSockets, type BoundSocket } from "./bind-sockets.ts";

/**
 * The listening sockets of a master, in sets of one for each place. Where the kernel can (SO_REUSEPORT), each slot of its
 * workers has a set of its own, and so an even share of what arrives; elsewhere all slots have the same. A set stays
 * open until the workers are told to stop: to close it sooner would reset the clients that wait in its queues.
 */
export class SlotSockets {
  readonly #sets: (readonly BoundSocket[])[];
  readonly #choices: ListenChoices;
  /** Whether they were bound here, so that they end with the workers to whom they are released. */
  readonly areOwn: boolean;
  #canGrow: boolean;

  private constructor(first: readonly BoundSocket[], canGrow: boolean, choices: ListenChoices, areOwn: boolean) {
    this.#choices = choices;
    this.#sets = [first];
    this.#canGrow = canGrow;
    this.areOwn = areOwn;
  }

  /**
   * @param slots for how many there are to be sets from the beginning
   * @param choices who may connect to the unix sockets among them, how many may wait
   * @throws {ListenError} when a place is taken, forbidden or not of this machine
   */
  static async bind(endpoints: readonly Endpoint[], slots: number, choices: ListenChoices = {}): Promise<SlotSockets> {
    const hasPort = endpoints.some((endpoint) => !("path" in endpoint));
    const sockets = new SlotSockets(await bindSockets(endpoints, hasPort, choices), hasPort, choices, true);
    sockets.#grow(slots);
    return sockets;
  }

  /** Sockets that were inherited: all slots have the same. */
  static shared(sockets: readonly BoundSocket[]): SlotSockets {
    return new SlotSockets(sockets, false, {}, false);
  }

  get endpoints(): readonly Endpoint[] {
    return this.#sets[0]?.map(({ endpoint }) => endpoint) ?? [];
  }

  /** How many sets there are. */
  get sets(): number {
    return this.#sets.length;
  }

  /** Which set a slot has; made when there is none yet. */
  setOf(slot: number): number {
    this.#grow(slot + 1);
    return slot % this.#sets.length;
  }

  /** The sockets of a set, one for each place. */
  of(set: number): readonly BoundSocket[] {
    return this.#sets[set] ?? [];
  }

  /** Leaves them to the workers: what nobody accepts on any more refuses clients at once, who would wait for nothing otherwise. */
  release(): void {
    for (const socket of new Set(this.#sets.flat())) socket.release();
  }

  close(): void {
    for (const socket of new Set(this.#sets.flat())) socket.close();
  }

  #grow(slots: number): void {
    const lacking = slots - this.#sets.length;
    if (!this.#canGrow || lacking < 1) return;
    try {
      this.#sets.push(...bindBeside(this.of(0), lacking, this.#choices));
    } catch {
      // An older kernel or Node, or no descriptors left: slots beyond share the sets that there are.
      this.#canGrow = false;
    }
  }
}
