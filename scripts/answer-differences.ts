/** One request of a list that two servers are asked. */
export interface AskedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** What came back to it: the head as it was written, and the body to its end. */
export interface Answer {
  readonly status: number;
  readonly statusMessage: string;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  readonly body: string;
  /** Whether it came to its end, as its framing tells. */
  readonly isWhole: boolean;
  /** What the connection ended with instead of an answer. */
  readonly error?: string;
}

/** A difference that is no fault: a header, or a pattern whose matches are the same on both sides. */
export interface Tolerance {
  /** Names of headers, in lower case, that are not compared. */
  readonly headers: ReadonlySet<string>;
  /** What stands in the place of what these match, in values and bodies: ports, times, random ids. */
  readonly masks: readonly RegExp[];
}

/** What differs of two answers to one request, a line each: empty where they are the same. */
export function answerDifferences(first: Answer, second: Answer, tolerance: Tolerance): string[] {
  if (first.error !== undefined || second.error !== undefined) {
    return first.error === second.error ? [] : [`ended with ${first.error ?? first.status}, and with ${second.error ?? second.status}`];
  }
  const lines: string[] = [];
  const compare = (what: string, one: string | undefined, other: string | undefined): void => {
    if (one !== other) lines.push(`${what}: ${shown(one)}, and ${shown(other)}`);
  };
  compare("status", `${first.status} ${first.statusMessage}`, `${second.status} ${second.statusMessage}`);
  const [one, other] = [headersOf(first, tolerance), headersOf(second, tolerance)];
  for (const name of [...new Set([...one.keys(), ...other.keys()])].sort()) compare(name, one.get(name), other.get(name));
  compare("body", masked(first.body, tolerance), masked(second.body, tolerance));
  compare("whole", String(first.isWhole), String(second.isWhole));
  return lines;
}

/** All lines of a name, joined in their order: `set-cookie` has several. */
function headersOf({ rawHeaders }: Answer, tolerance: Tolerance): Map<string, string> {
  const headers = new Map<string, string>();
  for (let n = 0; n + 1 < rawHeaders.length; n += 2) {
    const name = (rawHeaders[n] ?? "").toLowerCase();
    if (tolerance.headers.has(name)) continue;
    const written = rawHeaders[n + 1] ?? "";
    // What a session is called is by lot.
    const value = masked(name === "set-cookie" ? written.replace(/=[^;]*/, "=…") : written, tolerance);
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}\n${value}`);
  }
  return headers;
}

function masked(text: string, { masks }: Tolerance): string {
  return masks.reduce((rest, mask) => rest.replaceAll(mask, "…"), text);
}

/** The beginning of a text, in one line. */
function shown(text: string | undefined): string {
  if (text === undefined) return "none";
  return JSON.stringify(text.length > longestShown ? `${text.slice(0, longestShown)}… (${text.length})` : text);
}

const longestShown = 160;
