// Is anything wrong now? Each finding says what, how much, and how bad it is.
import { clock, percent, trim } from "./format.js";

const recentMs = 5 * 60_000;

/** @returns the worst first */
export function findingsOf({ points, overview, history, now }) {
  const minute = points.filter(({ time }) => now - time <= 60_000);
  const mean = (key) => minute.reduce((sum, point) => sum + (point[key] ?? 0), 0) / Math.max(1, minute.length);
  const latest = points.at(-1);
  const found = [];
  const find = (weight, text) => found.push({ weight, text });
  const requests = mean("requests_per_second");
  const failed = mean("errors_per_second");
  if (failed > 0)
    find(failed / requests >= 0.01 ? "bad" : "look", `${percent(failed / requests)} of the requests failed in the last minute`);
  const messagesFailed = mean("messages_failed_per_second");
  if (messagesFailed > 0) find("look", `${trim(messagesFailed * 60)} messages failed in the last minute`);
  const notUp = overview.workers.filter(({ state }) => state !== "up" && state !== "stopping").length;
  if (notUp > 0) find("look", `${notUp} of ${overview.workers.length} workers ${notUp === 1 ? "is" : "are"} not up`);
  const recent = history.events.filter(({ at, until }) => now - (until ?? at) < recentMs);
  const since = (type) => recent.filter((event) => event.type === type);
  const [died] = since("died");
  if (died !== undefined)
    find("bad", `${since("died").length === 1 ? "a worker" : `${since("died").length} workers`} died, the last at ${clock(died.at)}`);
  const [abandoned] = since("abandoned");
  if (abandoned !== undefined) find("bad", `the upgrade at ${clock(abandoned.at)} was abandoned`);
  const [deadline] = since("deadline");
  if (deadline !== undefined) find("bad", `requests were cut at ${clock(deadline.at)}`);
  const blocked = since("blocked").length;
  if (blocked > 0) find("look", `the event loop stood still ${blocked === 1 ? "once" : `${blocked} times`} in the last five minutes`);
  const busiest = mean("busiest_event_loop");
  if (busiest >= 0.7) find(busiest >= 0.9 ? "bad" : "look", `the busiest event loop is busy ${percent(busiest)} of the time`);
  const heap = latest?.fullest_heap ?? 0;
  if (heap >= 0.8) find(heap >= 0.9 ? "bad" : "look", `a heap is full by ${percent(heap)}`);
  const waiting = overview.pools.filter((pool) => pool.waiting > 0);
  for (const name of new Set(waiting.map(({ client }) => client))) find("look", `someone waits for a connection of the pool ${name}`);
  return found.sort((a, b) => (a.weight === b.weight ? 0 : a.weight === "bad" ? -1 : 1));
}

/** How an event of the last hour is to be looked at. */
export const weights = {
  died: "bad",
  killed: "bad",
  abandoned: "bad",
  deadline: "bad",
  errors: "bad",
  blocked: "look",
  replaced: "plain",
  upgraded: "plain",
  started: "plain",
  stopped: "plain",
};
export const kindNames = {
  died: "Died",
  killed: "Killed",
  abandoned: "Abandoned",
  deadline: "Cut",
  errors: "Failures",
  blocked: "Blocked",
  replaced: "Replaced",
  upgraded: "Upgraded",
  started: "Started",
  stopped: "Stopped",
};
