interface Task {
  readonly name: string;
  readonly everyMs: number;
  readonly run: (now: number) => void;
  lastTurn: number;
}

/** How often the pulse beats. */
export const beatMs = 500;

/**
 * One timer for everything that is done again and again, so that an idle process wakes as seldom as it can. It beats on the wall
 * clock: what is done each ten seconds is done at full ten seconds, in all processes at once, and their figures fit together.
 */
export class Pulse {
  readonly #tasks: Task[] = [];
  readonly #onError: (task: string, error: unknown) => void;
  readonly #failing = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  /** @param onError is told of each task that fails, once until it succeeds again; the others are done all the same */
  constructor(onError: (task: string, error: unknown) => void) {
    this.#onError = onError;
  }

  /** @param everyMs a multiple of `beatMs` */
  every(name: string, everyMs: number, run: (now: number) => void): void {
    this.#tasks.push({ name, everyMs, run, lastTurn: Math.floor(Date.now() / everyMs) });
  }

  start(): void {
    this.#timer = setTimeout(
      () => {
        this.#beat(Date.now());
        this.start();
      },
      beatMs - (Date.now() % beatMs),
    ).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #beat(now: number): void {
    for (const task of this.#tasks) {
      const turn = Math.floor(now / task.everyMs);
      if (turn === task.lastTurn) continue;
      task.lastTurn = turn;
      try {
        task.run(now);
        this.#failing.delete(task.name);
      } catch (error) {
        if (!this.#failing.has(task.name)) this.#onError(task.name, error);
        this.#failing.add(task.name);
      }
    }
  }
}
