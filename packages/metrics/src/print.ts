import type { Labels } from "@tsserve/server";
import { exemplarKey, type Exemplar } from "./exemplars.ts";
import type { MergedFamily, MergedSeries } from "./merge.ts";

/** The text format of Prometheus, version 0.0.4, or OpenMetrics 1.0.0. */
export type TextFormat = "prometheus" | "openmetrics";

/** The text format is always version 0.0.4; OpenMetrics is of the version that was asked for. */
export function contentTypeOf({ format, version }: { readonly format: TextFormat; readonly version: string }): string {
  const type = format === "openmetrics" ? "application/openmetrics-text" : "text/plain";
  return `${type}; version=${version}; charset=utf-8`;
}

const valuesAtOnce = 2000;

/** What a series' samples begin with, by format: it stays, only the values change. */
const beginnings: Readonly<Record<TextFormat, WeakMap<MergedSeries, readonly string[]>>> = {
  prometheus: new WeakMap(),
  openmetrics: new WeakMap(),
};

/** The exemplars of a series' buckets, by the key of the series. Only OpenMetrics has a form for them. */
export type ExemplarsOf = ReadonlyMap<string, Readonly<Record<number, Exemplar>>>;

const noExemplars: ExemplarsOf = new Map();

export function print(families: readonly MergedFamily[], format: TextFormat, exemplars: ExemplarsOf = noExemplars): string {
  return [...printParts(families, format, exemplars)].join("");
}

/** Some milliseconds' worth of text at a time. */
export function* printParts(families: readonly MergedFamily[], format: TextFormat, exemplars: ExemplarsOf): Generator<string> {
  for (const each of families) yield* printFamily(each, format, format === "openmetrics" ? exemplars : noExemplars);
  if (format === "openmetrics") yield "# EOF\n";
}

function* printFamily({ family, series }: MergedFamily, format: TextFormat, exemplars: ExemplarsOf): Generator<string> {
  // OpenMetrics names a counter without the ending that its samples must have.
  const name = format === "openmetrics" && family.type === "counter" ? family.name.replace(/_total$/, "") : family.name;
  let text = `# HELP ${name} ${escapeHelp(family.help, format)}\n# TYPE ${name} ${family.type}\n`;
  let printed = 0;
  for (const each of series) {
    printed += each.values.length;
    if (printed > valuesAtOnce) {
      yield text;
      text = "";
      printed = 0;
    }
    const lines = beginningsOf(each, format);
    const { values } = each;
    const found = exemplars.size === 0 || each.definition === undefined ? undefined : exemplars.get(exemplarKey(each.definition));
    if (family.type !== "histogram") {
      text += `${lines[0]}${formatValue(values[0] as number)}${printExemplar(found?.[0])}\n`;
      continue;
    }
    const bounds = values.length - 2;
    let count = 0;
    for (let bucket = 0; bucket <= bounds; bucket++) {
      count += values[bucket] as number;
      text += `${lines[bucket]}${count}${printExemplar(found?.[bucket])}\n`;
    }
    text += `${lines[bounds + 1]}${formatValue(values[bounds + 1] as number)}\n${lines[bounds + 2]}${count}\n`;
  }
  yield text;
}

function beginningsOf(series: MergedSeries, format: TextFormat): readonly string[] {
  const known = beginnings[format].get(series);
  if (known !== undefined) return known;
  const { family, labels, suffix } = series;
  const begin = (ending: string, more: Labels = {}): string => `${family.name}${ending}${printLabels({ ...labels, ...more })} `;
  let lines: string[];
  if (family.type === "histogram") {
    const bounds = (family.buckets ?? []).map((bound) => formatBound(bound, format));
    lines = [...[...bounds, "+Inf"].map((le) => begin("_bucket", { le })), begin("_sum"), begin("_count")];
  } else if (family.type === "counter" && format === "openmetrics" && !family.name.endsWith("_total")) lines = [begin("_total")];
  else if (format === "openmetrics" && labels["quantile"] !== undefined && family.type === "summary")
    lines = [begin(suffix, { quantile: formatBound(Number(labels["quantile"]), format) })];
  else lines = [begin(suffix)];
  beginnings[format].set(series, lines);
  return lines;
}

function printExemplar(exemplar: Exemplar | undefined): string {
  if (exemplar === undefined) return "";
  const labels = printLabels(exemplar.labels) || "{}";
  return ` # ${labels} ${formatValue(exemplar.value)} ${exemplar.time.toFixed(3)}`;
}

/** OpenMetrics wants bounds to look like floats. */
function formatBound(bound: number, format: TextFormat): string {
  return format === "openmetrics" && Number.isInteger(bound) ? `${bound}.0` : String(bound);
}

function formatValue(value: number): string {
  if (Number.isFinite(value)) return String(value);
  if (Number.isNaN(value)) return "NaN";
  return value > 0 ? "+Inf" : "-Inf";
}

function printLabels(labels: Labels): string {
  const written = Object.entries(labels).map(([label, value]) => `${label}="${escapeLabel(value)}"`);
  return written.length === 0 ? "" : `{${written.join(",")}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}

function escapeHelp(help: string, format: TextFormat): string {
  const escaped = help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return format === "openmetrics" ? escaped.replaceAll('"', '\\"') : escaped;
}
