import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { RequestDescription } from "@tsserve/server";
import { unfinished } from "../file-names.ts";

/** What happened to one process, or was done by the master. */
export interface HistoryEvent {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly type: "started" | "died" | "killed" | "replaced" | "upgraded" | "abandoned" | "blocked" | "deadline" | "errors" | "stopped";
  /** Whom it is about. */
  readonly pid?: number | undefined;
  /** One line, for people. */
  readonly text: string;
  /** More of it: a stack, last words. Secrets are masked. */
  readonly details?: string | undefined;
  readonly requests?: readonly RequestDescription[] | undefined;
  /** Of what lasted: until when. */
  readonly until?: number | undefined;
}

const keptMs = 3_600_000;
const mostEvents = 60;
const mostBytes = 64 * 1024;
const mostDetails = 4000;
const mostRequests = 20;

/** The events of a worker, in a file that its successors go on with. It is rewritten at each of them, and there are few. */
export class EventFile {
  readonly #path: string;
  readonly #mask: (text: string) => string;
  #events: HistoryEvent[];
  /** Whether there are some that could not be written yet. */
  #isBehind = false;

  constructor(path: string, mask: (text: string) => string, now: number) {
    this.#path = path;
    this.#mask = mask;
    this.#events = readEvents(path, now);
  }

  /** What can't be written is kept, and written when it can. @throws {Error} when it can't be written */
  add({ text, details, requests, ...event }: HistoryEvent): void {
    this.#events.push({
      ...event,
      text: this.#mask(text),
      ...(details !== undefined && { details: this.#mask(details).slice(0, mostDetails) }),
      ...(requests !== undefined && { requests: maskRequests(requests, this.#mask) }),
    });
    this.#write(event.at);
  }

  /** Changes the last one, where it is of a type and lasted until a time between the two. @returns whether it did */
  extend(type: HistoryEvent["type"], since: number, now: number, change: (event: HistoryEvent) => HistoryEvent): boolean {
    const last = this.#events.at(-1);
    const end = last?.until ?? last?.at ?? 0;
    // What ends later than now was before the clock was set back.
    if (last?.type !== type || end < since || end > now) return false;
    const changed = change(last);
    this.#events[this.#events.length - 1] = { ...changed, text: this.#mask(changed.text) };
    this.#write(changed.until ?? changed.at);
    return true;
  }

  /** Writes what could not be written yet. @throws {Error} when it still can't */
  catchUp(now: number): void {
    if (this.#isBehind) this.#write(now);
  }

  #write(now: number): void {
    this.#isBehind = true;
    this.#events = this.#events.filter(({ at }) => now - at < keptMs).slice(-mostEvents);
    let text = JSON.stringify(this.#events);
    while (text.length > mostBytes && this.#events.length > 1) {
      this.#events.shift();
      text = JSON.stringify(this.#events);
    }
    writeFileSync(unfinished(this.#path), text, { mode: 0o600 });
    renameSync(unfinished(this.#path), this.#path);
    this.#isBehind = false;
  }
}

/** The events of the last hour that a file has, the oldest first. A file that is none has none. */
export function readEvents(path: string, now: number): HistoryEvent[] {
  try {
    const events = JSON.parse(readFileSync(path, "utf8")) as unknown;
    return Array.isArray(events) ? events.filter((event) => isEvent(event) && now - event.at < keptMs) : [];
  } catch {
    return [];
  }
}

/** The oldest requests in progress, as they are kept. */
export function maskRequests(requests: readonly RequestDescription[], mask: (text: string) => string): RequestDescription[] {
  return requests.slice(0, mostRequests).map(({ method, route, ageMs, client, id }) => ({
    method: method.slice(0, 100),
    route: mask(route.slice(0, 500)),
    ageMs: Math.round(ageMs),
    ...(client !== undefined && { client }),
    ...(id !== undefined && { id: id.slice(0, 200) }),
  }));
}

function isEvent(value: unknown): value is HistoryEvent {
  if (typeof value !== "object" || value === null) return false;
  const { at, type, text } = value as Record<string, unknown>;
  return typeof at === "number" && typeof type === "string" && typeof text === "string";
}
