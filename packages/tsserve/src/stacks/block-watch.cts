// Whether the event loop of the main thread is blocked, from the beats that it gives and, while it rests, from where its thread is.
type BlockWatchParts = import("./shared.ts", { with: { "resolution-mode": "import" } }).BlockWatchParts;
type WatchForBlocks = import("./shared.ts", { with: { "resolution-mode": "import" } }).WatchForBlocks;

/** Longer delays fire at once (docs of `setTimeout`). */
const longestTimerMs = 2 ** 31 - 1;
/** After so many turns the thread was seen to wait in the same place: a `spawnSync`, which waits in a place of its own, is not seen so often. */
const sightings = 3;

/**
 * While the loop turns, it gives beats: this sleeps until the last one that it knows of is too old; by then there has been a later
 * one, or the loop is blocked. A loop that rests gives none while it sleeps: as long as its thread waits where the loop polls,
 * it is not blocked, however old its last beat is.
 */
const watchForBlocks: WatchForBlocks = ({ thresholdMs, shared, cells, rests, thread, nowNs, onBlock }: BlockWatchParts): void => {
  /** The descriptor of epoll that the loop of the main thread polls. */
  let polled: number | undefined;
  let sighted = { fd: -1, beat: 0n, times: 0 };
  /** The last look at which the loop slept, and what its thread had worked in all when it fell asleep. */
  let asleep = { atNs: 0n, beat: 0n, workedNs: 0n };
  let suspect: { readonly beat: bigint; readonly sinceNs: bigint } | undefined;

  const again = (ms: number): void => void setTimeout(look, Math.min(Math.max(ms, 1), longestTimerMs));
  const since = (then: bigint): number => Number(nowNs() - then) / 1e6;

  const look = (): void => {
    const beat = Atomics.load(shared, cells.beat);
    const rest = Atomics.load(shared, cells.rest);
    if (beat === 0n) return again(thresholdMs);
    if (rest === rests.resting) return lookAtSleeper(beat);
    const standsForMs = since(beat);
    if (standsForMs >= thresholdMs) return block(beat);
    if (rest !== rests.asked) return again(thresholdMs - standsForMs);
    findPoll(beat);
    // At no fixed distance from the beats, at which the thread would always be awake.
    again(thresholdMs * (0.25 + Math.random() / 2));
  };

  const findPoll = (beat: bigint): void => {
    const place = thread.place();
    if (polled === undefined && typeof place === "number" && beat !== sighted.beat)
      sighted = { fd: place, beat, times: place === sighted.fd ? sighted.times + 1 : 1 };
    if (sighted.times >= sightings) polled = sighted.fd;
    if (polled !== undefined) Atomics.compareExchange(shared, cells.rest, rests.asked, rests.granted);
  };

  const lookAtSleeper = (beat: bigint): void => {
    const place = thread.place();
    if (place === polled) {
      asleep = { atNs: nowNs(), beat, workedNs: beat === asleep.beat ? asleep.workedNs : thread.workedNs() };
      return again(thresholdMs);
    }
    if (suspect?.beat !== beat) suspect = { beat, sinceNs: nowNs() - BigInt(Math.round(awakeForNs(beat, place))) };
    const standsForMs = since(suspect.sinceNs);
    if (standsForMs >= thresholdMs) block(beat);
    else again(thresholdMs - standsForMs);
  };

  /** A thread that runs has been awake for as long as it has worked; one that waits elsewhere, on average half of what is possible. */
  const awakeForNs = (beat: bigint, place: unknown): number => {
    const longest = Number(nowNs() - (asleep.atNs > beat ? asleep.atNs : beat));
    return place === "running" ? Math.min(longest, Number(thread.workedNs() - asleep.workedNs)) : longest / 2;
  };

  const block = (beat: bigint): void => {
    suspect = undefined;
    const isCurrent = (): boolean => Atomics.load(shared, cells.beat) === beat;
    onBlock(isCurrent);
    const untilNextBeat = (): void => {
      if (isCurrent()) setTimeout(untilNextBeat, Math.min(thresholdMs / 4, longestTimerMs));
      else look();
    };
    untilNextBeat();
  };

  look();
};

module.exports = { watchForBlocks };
