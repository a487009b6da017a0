// Plots over time. They share their time axis, and what is looked at in one is told in all.
import { bytes, clock, element } from "./format.js";

const svgNames = "http://www.w3.org/2000/svg";
const plotHeight = 150;
const gutter = { left: 54, right: 6, top: 8, bottom: 20 };

function drawn(name, attributes, text) {
  const made = document.createElementNS(svgNames, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  if (text !== undefined) made.textContent = text;
  return made;
}

/** The steps between the marks of a time axis, in seconds: full ones of a clock. */
const timeSteps = [15, 30, 60, 120, 300, 600, 900, 1800];

/**
 * A plot.
 *
 * @param title what it is about
 * @param lines its lines: the key of a point, its name, its colour; the first one is what it is about
 * @param unit how a value is written
 * @param most the end of its scale, where that is known
 * @param least the least end of its scale
 */
export class Plot {
  constructor({ title, lines, unit, most, least = 0 }, look) {
    this.lines = lines;
    this.unit = unit;
    this.most = most;
    this.least = least;
    this.title = title;
    this.svg = drawn("svg", { role: "img", tabindex: 0 });
    this.values = lines.map(() => element("b"));
    this.when = element("span", { class: "when" });
    const legend = element("div", { class: "legend", "aria-hidden": "true" });
    lines.forEach(([, name, colour], n) => legend.append(element("span", {}, element("i", { class: colour }), `${name} `, this.values[n])));
    this.figure = element("figure", {}, element("figcaption", {}, element("strong", {}, title, this.when), legend), this.svg);
    this.svg.addEventListener("pointermove", ({ offsetX }) => look(this.timeAt(offsetX)));
    this.svg.addEventListener("pointerleave", () => look(undefined));
    this.svg.addEventListener("blur", () => look(undefined));
    this.svg.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === "Escape") look(undefined);
      if (steps === undefined) return;
      event.preventDefault();
      look((this.looked ?? this.until) + (steps * this.span) / 60);
    });
  }

  timeAt(x) {
    const part = (x - gutter.left) / (this.width - gutter.left - gutter.right);
    return this.until - this.span * (1 - Math.min(1, Math.max(0, part)));
  }

  draw({ points, marks, until, span, looked }) {
    this.width = Math.max(200, this.svg.clientWidth || this.figure.clientWidth - 30);
    this.until = until;
    this.span = span;
    this.looked = looked;
    const inner = { width: this.width - gutter.left - gutter.right, height: plotHeight - gutter.top - gutter.bottom };
    const x = (time) => gutter.left + ((time - until + span) / span) * inner.width;
    const values = points.flatMap((point) => this.lines.map(([key]) => point[key])).filter((value) => value !== null);
    const top = this.most ?? niceTop(Math.max(this.least, ...values), this.unit === bytes ? 1024 : 1000);
    const y = (value) => gutter.top + inner.height * (1 - Math.min(value, top) / top);
    const parts = [];
    for (const part of [0, 0.5, 1]) {
      const at = Math.round(y(part * top)) + 0.5;
      parts.push(drawn("line", { class: part === 0 ? "base" : "grid", x1: gutter.left, x2: this.width - gutter.right, y1: at, y2: at }));
      parts.push(drawn("text", { x: gutter.left - 6, y: at + 4, "text-anchor": "end" }, part === 0 ? "0" : this.unit(part * top)));
    }
    for (const time of timesOf(until, span, inner.width)) {
      const at = Math.round(x(time)) + 0.5;
      parts.push(drawn("line", { class: "base", x1: at, x2: at, y1: plotHeight - gutter.bottom, y2: plotHeight - gutter.bottom + 4 }));
      if (at > gutter.left + 14 && at < this.width - 16)
        parts.push(drawn("text", { x: at, y: plotHeight - 4, "text-anchor": "middle" }, clock(time, span <= 300_000)));
    }
    for (const { time, weight } of marks) {
      if (time < until - span || time > until) continue;
      const at = Math.round(x(time)) + 0.5;
      parts.push(drawn("line", { class: `mark ${weight}`, x1: at, x2: at, y1: gutter.top, y2: plotHeight - gutter.bottom }));
    }
    const [[main]] = this.lines;
    if (this.lines.length < 3)
      parts.push(
        drawn("path", {
          class: "area",
          d: runsOf(points, main)
            .map((run) => areaOf(run, main, x, y))
            .join(""),
        }),
      );
    for (const [key, , colour] of [...this.lines].reverse()) {
      // No failures are no red line.
      const isNone = colour === "bad" && points.every((point) => !point[key]);
      const runs = isNone ? [] : runsOf(points, key);
      parts.push(drawn("path", { class: colour, d: runs.map((run) => lineOf(run, key, x, y)).join("") }));
    }
    if (values.length === 0)
      parts.push(
        drawn("text", { x: gutter.left + inner.width / 2, y: gutter.top + inner.height / 2, "text-anchor": "middle" }, "nothing yet"),
      );
    const shown = looked === undefined ? points.at(-1) : nearest(points, looked);
    if (looked !== undefined && shown !== undefined) {
      const at = Math.round(x(shown.time)) + 0.5;
      parts.push(drawn("line", { class: "cross", x1: at, x2: at, y1: gutter.top, y2: plotHeight - gutter.bottom }));
    }
    this.svg.replaceChildren(...parts);
    const words = this.lines.map(([key, name], n) => {
      const value = shown?.[key];
      const text = value === undefined || value === null ? "–" : this.unit(value);
      this.values[n].textContent = text;
      return `${name} ${text}`;
    });
    this.when.textContent = looked === undefined || shown === undefined ? "" : clock(shown.time);
    const when = looked === undefined || shown === undefined ? "now" : `at ${clock(shown.time)}`;
    this.svg.setAttribute("aria-label", `${this.title}, ${when}: ${words.join(", ")}. Arrow keys move in time.`);
  }
}

/** A full number that is not below a value. */
function niceTop(value, base) {
  if (value <= 0) return 1;
  const unit = base === 1024 ? 1024 ** Math.floor(Math.log(value) / Math.log(1024)) : 1;
  const size = 10 ** Math.floor(Math.log10(value / unit));
  return [1, 2, 4, 5, 6, 8, 10].map((each) => each * size * unit).find((each) => each >= value * 1.02) ?? 20 * size * unit;
}

function timesOf(until, span, width) {
  const step = 1000 * (timeSteps.find((each) => (width * each * 1000) / span >= 62) ?? 3600);
  const offset = new Date(until).getTimezoneOffset() * 60_000;
  const times = [];
  for (let time = Math.ceil((until - span - offset) / step) * step + offset; time <= until; time += step) times.push(time);
  return times;
}

/** Where nothing is known, there is no line. */
function runsOf(points, key) {
  const runs = [];
  let before;
  for (const point of points) {
    if (point[key] === null || point[key] === undefined) before = undefined;
    else if (before === undefined || point.time - before.time > 25_000) runs.push([point]);
    else runs.at(-1).push(point);
    if (point[key] !== null && point[key] !== undefined) before = point;
  }
  return runs;
}

function lineOf(run, key, x, y) {
  const places = run.map((point) => `${x(point.time).toFixed(1)} ${y(point[key]).toFixed(1)}`);
  // One point alone is a dot.
  return places.length === 1 ? `M${places[0]}h1` : `M${places.join("L")}`;
}

function areaOf(run, key, x, y) {
  return `${lineOf(run, key, x, y)}V${y(0)}H${x(run[0].time).toFixed(1)}Z`;
}

function nearest(points, time) {
  let best;
  for (const point of points) if (best === undefined || Math.abs(point.time - time) < Math.abs(best.time - time)) best = point;
  return best;
}
