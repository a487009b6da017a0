import type { TextFormat } from "./print.ts";

/** What a scraper is answered with. */
export interface Form {
  readonly format: TextFormat;
  /** The version of OpenMetrics that it asked for. */
  readonly version: string;
}

interface Range {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  /** 0 to 1: how much it is wanted. */
  readonly quality: number;
}

const openMetricsVersions: readonly string[] = ["1.0.0", "0.0.1"];
const textVersion = "0.0.4";

/**
 * The form that a request's `Accept` wants most (RFC 9110, section 12.5.1): weights and wildcards count, case does not. Where two
 * are wanted alike, OpenMetrics is taken when it is named; where none of ours is wanted, the text format, as other exporters do.
 */
export function formOf(accept: string | undefined): Form {
  const ranges = parseAccept(accept ?? "");
  const text = qualityOf(ranges, "text/plain", (version) => version === undefined || version === textVersion);
  let best: (Form & { readonly quality: number }) | undefined;
  for (const version of openMetricsVersions) {
    const named = qualityOf(ranges, "application/openmetrics-text", (each) => (each ?? openMetricsVersions[0]) === version);
    if (named.quality > (best?.quality ?? 0) && named.isNamed) best = { format: "openmetrics", version, quality: named.quality };
  }
  const isText = best === undefined || text.quality > best.quality;
  return isText || best === undefined ? { format: "prometheus", version: textVersion } : { format: best.format, version: best.version };
}

/** Whether a request's `Accept-Encoding` wants gzip. */
export function acceptsGzip(accepted: string | undefined): boolean {
  const ranges = parseAccept(accepted ?? "");
  const found = ranges.find(({ type }) => type === "gzip" || type === "x-gzip") ?? ranges.find(({ type }) => type === "*");
  return found !== undefined && found.quality > 0;
}

/** The most specific range decides. */
function qualityOf(
  ranges: readonly Range[],
  type: string,
  isVersion: (version: string | undefined) => boolean,
): { quality: number; isNamed: boolean } {
  const [main] = type.split("/");
  const named = ranges.filter((range) => range.type === type && isVersion(range.parameters.get("version")));
  const exact = named.filter(({ parameters }) => parameters.has("version"));
  for (const [found, isNamed] of [
    [exact, true],
    [named, true],
    [ranges.filter((range) => range.type === `${main}/*`), false],
    [ranges.filter((range) => range.type === "*/*"), false],
  ] as const)
    if (found.length > 0) return { quality: Math.max(...found.map(({ quality }) => quality)), isNamed };
  return { quality: 0, isNamed: false };
}

function parseAccept(text: string): Range[] {
  return splitOutsideQuotes(text, ",").flatMap((each): Range[] => {
    const [type = "", ...rest] = splitOutsideQuotes(each, ";").map((part) => part.trim());
    if (type === "") return [];
    const parameters = new Map<string, string>();
    for (const part of rest) {
      const [name = "", ...value] = part.split("=");
      parameters.set(
        name.trim().toLowerCase(),
        value
          .join("=")
          .trim()
          .replace(/^"(.*)"$/, "$1"),
      );
    }
    const quality = Number(parameters.get("q") ?? 1);
    return [{ type: type.toLowerCase(), parameters, quality: quality >= 0 && quality <= 1 ? quality : 0 }];
  });
}

function splitOutsideQuotes(text: string, separator: string): string[] {
  const parts: string[] = [];
  let from = 0;
  let isQuoted = false;
  for (let n = 0; n < text.length; n++) {
    const char = text[n];
    if (char === '"') isQuoted = !isQuoted;
    else if (char === "\\" && isQuoted) n += 1;
    else if (char === separator && !isQuoted) {
      parts.push(text.slice(from, n));
      from = n + 1;
    }
  }
  parts.push(text.slice(from));
  return parts;
}
