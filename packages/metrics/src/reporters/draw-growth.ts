import type { CallSite } from "./refcycle.ts";

const rowHeight = 44;
const width = 900;
const chartWidth = 260;

/** A picture of call sites: how much of what they allocated is still there, over time, and what has been added last. */
export function drawGrowth(sites: readonly CallSite[]): string {
  const height = 50 + Math.max(1, sites.length) * rowHeight;
  const rows = sites.map((site, row) => drawRow(site, 50 + row * rowHeight));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="13">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="16" y="28" font-size="16" font-weight="bold">Allocated and still there, by call site</text>`,
    ...(rows.length === 0 ? [`<text x="16" y="70">nothing</text>`] : rows),
    "</svg>\n",
  ].join("\n");
}

function drawRow({ name, history, growth }: CallSite, top: number): string {
  const most = Math.max(1, ...history);
  const step = chartWidth / Math.max(1, history.length - 1);
  const points = history.map((size, n) => `${(16 + n * step).toFixed(1)},${(top + 34 - (size / most) * 28).toFixed(1)}`);
  const color = growth > 0 ? "#cf222e" : "#59636e";
  const now = history.at(-1) ?? 0;
  return [
    `<polyline points="${points.join(" ")}" fill="none" stroke="${color}" stroke-width="1.5"/>`,
    `<text x="${chartWidth + 32}" y="${top + 16}">${escape(name)}</text>`,
    `<text x="${chartWidth + 32}" y="${top + 33}" fill="${color}">${kilobytes(now)}, ${growth < 0 ? "−" : "+"}${kilobytes(Math.abs(growth))} in the last interval</text>`,
  ].join("\n");
}

function kilobytes(bytes: number): string {
  return `${Math.round(bytes / 1024).toLocaleString("en")} kB`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
