// Asks for what all workers have counted every two seconds, and draws what has changed since.
const intervalMs = 2000;
const longestSeconds = 1800;

/** @type {{ time: number, rps: number, errors: number, p50: number, p90: number, p99: number, active: number, elu: number, delay: number, heap: number, resident: number, gc: number }[]} */
const points = [];
let before;
let paused = false;

const byId = (id) => document.getElementById(id);

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const round = (value) => (value >= 100 ? Math.round(value).toLocaleString("en") : Number(value.toPrecision(3)).toString());
const seconds = (value) => (value < 1 ? `${round(value * 1000)} ms` : `${round(value)} s`);
const bytes = (value) => (value < 2 ** 20 ? `${round(value / 1024)} kB` : `${round(value / 2 ** 20)} MB`);
const percent = (value) => `${round(value * 100)} %`;

const plots = [
  {
    title: "Requests per second",
    unit: round,
    lines: [
      ["rps", "all"],
      ["errors", "failed"],
    ],
  },
  {
    title: "Latency",
    unit: seconds,
    lines: [
      ["p50", "50 %"],
      ["p90", "90 %"],
      ["p99", "99 %"],
    ],
  },
  { title: "In progress", unit: round, lines: [["active", "requests"]] },
  {
    title: "Event loop",
    unit: percent,
    lines: [
      ["elu", "mean utilization"],
      ["busiest", "busiest worker"],
    ],
    most: 1,
  },
  { title: "Event-loop delay, 99 %", unit: seconds, lines: [["delay", "worst worker"]] },
  { title: "Garbage collection", unit: (value) => `${round(value)}/s`, lines: [["gc", "collections"]] },
  {
    title: "Memory",
    unit: bytes,
    lines: [
      ["heap", "heap used"],
      ["resident", "resident"],
    ],
  },
];

for (const plot of plots) {
  plot.values = plot.lines.map(([, name], n) => [name, element("span", { class: `c${n}` })]);
  plot.svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  plot.svg.setAttribute("viewBox", "0 0 300 100");
  plot.svg.setAttribute("preserveAspectRatio", "none");
  plot.svg.setAttribute("role", "img");
  plot.top = element("span");
  const caption = element("figcaption", {}, element("strong", {}, plot.title), ...plot.values.map(([, span]) => span));
  byId("plots").append(element("figure", {}, caption, element("div", { class: "scale" }, plot.top), plot.svg));
}

/** The value below which a part of what was counted between two states lies. */
function quantile(part, bounds, now, then) {
  const counts = now.map((count, n) => Math.max(0, count - (then?.[n] ?? 0)));
  const total = counts.reduce((sum, each) => sum + each, 0);
  if (total === 0) return 0;
  let below = 0;
  for (let n = 0; n < counts.length; n++) {
    if (below + counts[n] >= part * total) {
      const low = n === 0 ? 0 : bounds[n - 1];
      const high = n < bounds.length ? bounds[n] : bounds.at(-1);
      return low + ((high - low) * (part * total - below)) / counts[n];
    }
    below += counts[n];
  }
  return bounds.at(-1);
}

function add(now) {
  const then = before;
  before = now;
  if (then === undefined) return;
  const elapsed = (now.time - then.time) / 1000;
  if (elapsed <= 0) return;
  const rate = (key) => Math.max(0, now[key] - then[key]) / elapsed;
  const sum = (values) => values.reduce((total, each) => total + each, 0);
  const loops = now.processes.map(({ event_loop_utilization: each }) => each ?? 0);
  const { bounds, counts } = now.latency;
  points.push({
    time: now.time,
    rps: rate("requests"),
    errors: rate("failed"),
    p50: quantile(0.5, bounds, counts, then.latency.counts),
    p90: quantile(0.9, bounds, counts, then.latency.counts),
    p99: quantile(0.99, bounds, counts, then.latency.counts),
    active: now.active,
    elu: loops.length === 0 ? 0 : sum(loops) / loops.length,
    busiest: Math.max(0, ...loops),
    delay: Math.max(0, ...now.processes.map(({ event_loop_delay: each }) => each ?? 0)),
    gc: rate("collections"),
    heap: sum(now.processes.map(({ heap_used: each }) => each ?? 0)),
    resident: sum(now.processes.map(({ resident: each }) => each ?? 0)),
  });
  while (points.length > 0 && now.time - points[0].time > longestSeconds * 1000) points.shift();
}

function draw() {
  const span = Number(byId("span").value) * 1000;
  const last = points.at(-1)?.time ?? Date.now();
  const shown = points.filter(({ time }) => last - time <= span);
  for (const plot of plots) {
    const keys = plot.lines.map(([key]) => key);
    const most = plot.most ?? Math.max(1e-9, ...shown.flatMap((point) => keys.map((key) => point[key])));
    plot.top.textContent = shown.length === 0 ? "" : plot.unit(most < 1e-6 ? 0 : most);
    const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
    for (const [key, value] of Object.entries({ x1: 0, x2: 300, y1: 99.5, y2: 99.5 })) line.setAttribute(key, value);
    const paths = keys.map((key, n) => {
      const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      path.setAttribute("class", `c${n}`);
      const at = (point) =>
        `${(300 - ((last - point.time) / span) * 300).toFixed(1)} ${(99 - (Math.min(point[key], most) / most) * 96).toFixed(1)}`;
      path.setAttribute("d", shown.length === 0 ? "" : `M${shown.map(at).join("L")}`);
      return path;
    });
    plot.svg.replaceChildren(line, ...paths);
    const words = plot.values.map(([name, label], n) => {
      const text = `${name} ${plot.unit(points.at(-1)?.[keys[n]] ?? 0)}`;
      label.textContent = text;
      return text;
    });
    plot.svg.setAttribute("aria-label", `${plot.title}: ${words.join(", ")}`);
  }
}

function table(id, columns, rows) {
  const head = element(
    "tr",
    {},
    ...columns.map(([title, , isText]) => element("th", { scope: "col", class: isText ? "text" : "" }, title)),
  );
  const body = rows.map((row) =>
    element("tr", {}, ...columns.map(([, of, isText]) => element("td", { class: isText ? "text" : "" }, String(of(row) ?? "–")))),
  );
  byId(id).replaceChildren(element("thead", {}, head), element("tbody", {}, ...body));
}

function list(id, items, describe, none) {
  const target = byId(id);
  const open = new Set([...target.querySelectorAll("details[open]")].map((each) => each.dataset.key));
  const made = items.map((item) => {
    const { key, title, text } = describe(item);
    const details = element("details", { "data-key": key }, element("summary", {}, title), element("pre", {}, text));
    details.open = open.has(key);
    return details;
  });
  target.replaceChildren(...(made.length === 0 ? [element("p", { class: "none" }, none)] : made));
}

function show(now) {
  const byPid = new Map(now.processes.map((each) => [each.pid, each]));
  const of = (worker) => byPid.get(worker.pid) ?? {};
  table(
    "workers",
    [
      ["worker", ({ index }) => index],
      ["generation", ({ generation }) => generation],
      ["pid", ({ pid }) => pid],
      ["state", ({ state }) => state, true],
      ["age", ({ age_seconds: age }) => (age === undefined ? undefined : seconds(Math.max(1, age)))],
      ["in progress", (worker) => of(worker).active_requests],
      ["connections", (worker) => of(worker).open_connections],
      [
        "event loop",
        (worker) => (of(worker).event_loop_utilization === undefined ? undefined : percent(of(worker).event_loop_utilization)),
      ],
      [
        "heap",
        (worker) => (of(worker).heap_used === undefined ? undefined : `${bytes(of(worker).heap_used)} of ${bytes(of(worker).heap_limit)}`),
      ],
      ["resident", (worker) => (of(worker).resident === undefined ? undefined : bytes(of(worker).resident))],
    ],
    now.workers,
  );
  table(
    "endpoints",
    [
      ["endpoint", ({ name }) => name, true],
      ["requests", ({ requests }) => requests.toLocaleString("en")],
      ["failed", ({ failed }) => failed.toLocaleString("en")],
      ["mean latency", ({ requests, seconds: took }) => (requests === 0 ? undefined : seconds(took / requests))],
      ["in progress", ({ active }) => active],
    ],
    now.endpoints,
  );
  byId("pools-section").hidden = now.pools.length === 0;
  table(
    "pools",
    [
      ["pool", ({ client }) => client, true],
      ["pid", ({ pid }) => pid],
      ["size", ({ size }) => size],
      ["in use", ({ in_use: used }) => used],
      ["idle", ({ idle }) => idle],
      ["waiting", ({ waiting }) => waiting],
    ],
    now.pools,
  );
  const time = (at) => new Date(at).toLocaleTimeString();
  list(
    "restarts",
    now.restarts,
    ({ at, what, words }) => ({ key: `${at}${what}`, title: `${time(at)}  ${what}`, text: words || "It said nothing." }),
    "None.",
  );
  list(
    "blocks",
    now.blocks,
    ({ at, pid, stack, requests }) => ({
      key: `${at}${pid}`,
      title: `${time(at)}  pid ${pid}, ${(requests ?? []).map(({ method, route }) => `${method} ${route}`).join(", ") || "no request in progress"}`,
      text: stack,
    }),
    "None, as far as monitoring.blocked_hub is on.",
  );
}

async function poll() {
  const state = byId("state");
  try {
    const response = await fetch("/metrics.json", { cache: "no-store", signal: AbortSignal.timeout(5000) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const now = await response.json();
    add(now);
    if (!paused) {
      draw();
      show(now);
    }
    state.className = "";
    state.textContent = `${now.hostname}, ${now.workers.length} ${now.workers.length === 1 ? "worker" : "workers"}${paused ? ", paused" : ""}`;
  } catch (error) {
    state.className = "bad";
    state.textContent = `no answer: ${error.message}`;
  }
  setTimeout(() => void poll(), intervalMs);
}

byId("span").addEventListener("change", draw);
byId("pause").addEventListener("click", () => {
  paused = !paused;
  byId("pause").setAttribute("aria-pressed", String(paused));
  byId("pause").textContent = paused ? "Go on" : "Pause";
});
void poll();
