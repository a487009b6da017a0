import { expect, test } from "vitest";
import { serve } from "./support/serve.ts";

/**
 * Node takes no more for the head of a request than for all of it, five minutes where it is not told; a timer of more than 24.8 days
 * fires at once, and Node says so on stderr.
 */
const long = ["6 minutes", "30 days", "99999999999999999 days"];
const timespans = ["stop_timeout", "keepalive_timeout", "header_timeout", "request_timeout", "max_keepalive_time", "access_log.slow"];
const timespansOfFleets = ["start_timeout", "max_age", "worker_timeout"];
const counts = ["backlog", "client_max_size", "max_header_count", "max_concurrency", "max_active_requests", "max_keepalive_requests"];
const countsOfFleets = ["max_requests", "max_requests_jitter", "max_memory"];
/** The largest count that JavaScript has. */
const largest = String(Number.MAX_SAFE_INTEGER);

test.each(long.flatMap((timespan) => [[timespan, "a single process"] as const, [timespan, "a fleet"] as const]))(
  "%s for each timespan, and the largest counts, of %s",
  async (timespan, kind) => {
    const own = kind === "a fleet" ? { workers: "2", ...of(timespansOfFleets, timespan), ...of(countsOfFleets, largest) } : {};
    await using server = serve({ server: { ...of(timespans, timespan), ...of(counts, largest), ...own } });
    const [url = ""] = (await server.log(/^listening on/))["addresses"] as string[];
    for (let count = 0; count < 3; count++) expect((await fetch(url)).status).toBe(200);
    server.kill();
    expect(await server.exited()).toMatchObject({ code: 0 });
    expect(server.stderr()).toBe("");
    expect(server.logs().filter(({ level }) => level !== "info")).toEqual([]);
  },
);

function of(names: readonly string[], timespan: string): Record<string, string> {
  return Object.fromEntries(names.map((key) => [key, timespan]));
}
