/** What a scrape gave: the values by series, as they are written. */
export interface Scrape {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
  /** The value of one series, such as `my_total{a="b"}`. */
  value(series: string): number | undefined;
  /** The sum of a name's series whose labels have all of these. */
  sum(name: string, ...labels: string[]): number;
}

export async function scrape(port: number, headers: Readonly<Record<string, string>> = {}, path = "/metrics"): Promise<Scrape> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers, signal: AbortSignal.timeout(30_000) });
  return parseScrape(response.status, response.headers.get("content-type") ?? "", await response.text());
}

export function parseScrape(status: number, contentType: string, text: string): Scrape {
  const values = new Map<string, number>();
  for (const line of text.split("\n")) {
    const end = line.lastIndexOf(" ");
    if (!line.startsWith("#") && end > 0) values.set(line.slice(0, end), Number(line.slice(end + 1).replace("Inf", "Infinity")));
  }
  return {
    status,
    contentType,
    text,
    value: (series) => values.get(series),
    sum: (name, ...labels) =>
      [...values]
        .filter(([series]) => series.split("{", 1)[0] === name && labels.every((label) => series.includes(label)))
        .reduce((sum, [, value]) => sum + value, 0),
  };
}

/** The counters among the series: what must never decrease. */
export function countersOf({ text }: Scrape): Map<string, number> {
  const counters = new Map<string, number>();
  for (const line of text.split("\n")) {
    const end = line.lastIndexOf(" ");
    if (!line.startsWith("#") && /^\w+(?:_total|_count|_sum|_bucket)\b/.test(line))
      counters.set(line.slice(0, end), Number(line.slice(end + 1)));
  }
  return counters;
}
