// Shows the last hour at once, then goes on: what all workers have counted is asked for every two seconds, and what the servers
// keep every ten.
import { age, byId, bytes, clock, count, element, number, percent, quantile, seconds } from "./format.js";
import { findingsOf } from "./findings.js";
import { Plot } from "./plot.js";
import { table } from "./table.js";

const intervalMs = 2000;
const historyIntervalMs = 10_000;
const hourMs = 3_600_000;
/** Rates and percentiles are those of the last ten seconds, as in what the servers keep. */
const windowMs = 10_000;

/** @type {Record<string, any>} */
const state = {
  /** What the servers kept until the page was opened, and what it has seen since. */
  kept: [],
  live: [],
  /** What was counted, for the last ten seconds. */
  counted: [],
  history: { events: [], records: [] },
  overview: undefined,
  isPaused: false,
  looked: undefined,
  failure: undefined,
  sort: { column: 1, isAscending: false },
  hasChosenSpan: false,
};

const plots = [
  {
    title: "Requests per second",
    unit: number,
    lines: [
      ["requests_per_second", "all", "main"],
      ["errors_per_second", "failed", "bad"],
    ],
  },
  {
    title: "Latency",
    unit: seconds,
    lines: [
      ["p99", "99 %", "main"],
      ["p90", "90 %", "main-mid"],
      ["p50", "50 %", "main-soft"],
    ],
    least: 0.001,
  },
  {
    title: "In progress",
    unit: number,
    lines: [
      ["active_requests", "requests", "main"],
      ["open_connections", "connections", "other"],
    ],
    least: 4,
  },
  {
    title: "Event loop",
    unit: percent,
    lines: [
      ["busiest_event_loop", "busiest worker", "main"],
      ["event_loop_utilization", "mean", "other"],
    ],
    most: 1,
  },
  { title: "Event-loop delay", unit: seconds, lines: [["event_loop_delay", "99 % of the worst worker", "main"]], least: 0.01 },
  {
    title: "Memory of all workers",
    unit: bytes,
    lines: [
      ["heap_used_bytes", "heap used", "main"],
      ["memory_bytes", "resident", "other"],
    ],
  },
];
const queuePlots = [
  {
    title: "Messages per second",
    unit: number,
    lines: [
      ["messages_per_second", "all", "main"],
      ["messages_failed_per_second", "failed", "bad"],
    ],
  },
  { title: "Garbage collections per second", unit: number, lines: [["collections_per_second", "collections", "main"]] },
];

const lookAt = (time) => {
  state.looked = time;
  draw();
};
const shownPlots = plots.map((plot) => new Plot(plot, lookAt));
byId("plots").append(...shownPlots.map(({ figure }) => figure));

/** Who consumes queues sees how. */
function showQueues() {
  if (shownPlots.length > plots.length) return;
  const more = queuePlots.map((plot) => new Plot(plot, lookAt));
  shownPlots.push(...more);
  byId("plots").append(...more.map(({ figure }) => figure));
  byId("plots").className = "eight";
}

function add(now) {
  const { counted } = state;
  counted.push(now);
  while (counted.length > 2 && now.time - counted[1].time >= windowMs) counted.shift();
  const then = counted[0];
  const elapsed = (now.time - then.time) / 1000;
  if (elapsed <= 0) return;
  const rate = (key) => Math.max(0, now[key] - then[key]) / elapsed;
  const { processes } = now;
  const sum = (key) => processes.reduce((total, each) => total + (each[key] ?? 0), 0);
  const most = (of) => Math.max(0, ...processes.map((each) => of(each) || 0));
  const { bounds, counts } = now.latency;
  const since = counts.map((each, n) => each - (then.latency.counts[n] ?? 0));
  state.live.push({
    time: now.time,
    requests_per_second: rate("requests"),
    errors_per_second: rate("failed"),
    messages_per_second: rate("messages"),
    messages_failed_per_second: rate("messages_failed"),
    p50: quantile(0.5, bounds, since),
    p90: quantile(0.9, bounds, since),
    p99: quantile(0.99, bounds, since),
    active_requests: now.active,
    open_connections: sum("open_connections"),
    event_loop_utilization: processes.length === 0 ? 0 : sum("event_loop_utilization") / processes.length,
    busiest_event_loop: most((each) => each.event_loop_utilization),
    event_loop_delay: most((each) => each.event_loop_delay),
    heap_used_bytes: sum("heap_used"),
    fullest_heap: most((each) => each.heap_used / each.heap_limit),
    memory_bytes: sum("resident"),
    collections_per_second: rate("collections"),
  });
  state.live = state.live.filter(({ time }) => now.time - time <= hourMs);
}

/** Until somebody chooses: the shortest span that has all that is known. The hour of a young server would be a line at its edge. */
function fitSpan() {
  if (state.hasChosenSpan) return;
  const [first] = pointsOf();
  const knownSeconds = first === undefined ? 0 : (Date.now() - first.time) / 1000;
  const choices = [...document.querySelectorAll('input[name="span"]')];
  (choices.find(({ value }) => Number(value) >= knownSeconds) ?? choices.at(-1)).checked = true;
}

/** What was kept before the first thing that was seen, and then what was seen. */
function pointsOf() {
  const first = state.live[0]?.time ?? Infinity;
  return [...state.kept.filter(({ time }) => time < first), ...state.live];
}

function draw() {
  const points = pointsOf();
  const until = state.live.at(-1)?.time ?? points.at(-1)?.time ?? Date.now();
  const span = 1000 * Number(document.querySelector('input[name="span"]:checked').value);
  const shown = points.filter(({ time }) => time > until - span - windowMs && time <= until);
  const marks = state.history.events
    .filter(({ type }) => type !== "started" && type !== "replaced")
    .map(({ at, type }) => ({ time: at, weight: weights[type] ?? "plain" }));
  for (const plot of shownPlots) plot.draw({ points: shown, marks, until, span, looked: state.looked });
}

function showState() {
  const { overview, history, failure } = state;
  const section = byId("state");
  let findings = [];
  let verdict = "Connecting";
  let weight = "waiting";
  if (failure !== undefined) {
    weight = "bad";
    verdict = "No answer";
    findings = [
      {
        weight: "plain",
        text: `${failure}; what is shown was last known ${overview === undefined ? "never" : `at ${clock(overview.time)}`}`,
      },
    ];
  } else if (overview !== undefined) {
    findings = findingsOf({ points: pointsOf(), overview, history, now: overview.time });
    weight = findings[0]?.weight ?? "well";
    verdict = { bad: "Something is wrong", look: "Worth a look", well: "All is well" }[weight];
    const up = overview.workers.filter((each) => each.state === "up").length;
    const plain = `${up} ${up === 1 ? "worker" : "workers"} up`;
    const latest = state.live.at(-1);
    const load = latest === undefined ? [] : [{ weight: "plain", text: `${number(latest.requests_per_second)} requests a second` }];
    findings = findings.length === 0 ? [{ weight: "plain", text: plain }, ...load] : findings;
  }
  section.className = weight;
  const status = byId("verdict");
  if (status.textContent !== verdict) status.textContent = verdict;
  byId("findings").replaceChildren(...findings.map((each) => element("li", { class: each.weight }, each.text)));
  document.title = `${weight === "bad" || weight === "look" ? `${verdict}: ` : ""}tsserve ${overview?.hostname ?? ""}`;
  const colour = { bad: "%23c4231c", look: "%23d08700", well: "%231a8f4b" }[weight] ?? "%238593a5";
  const icon = `data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><circle cx="4" cy="4" r="3.5" fill="${colour}"/></svg>`;
  if (byId("icon").getAttribute("href") !== icon) byId("icon").setAttribute("href", icon);
}

const perSecond = (endpoint) => {
  const [then] = state.counted;
  const before = then?.endpoints.find(({ name }) => name === endpoint.name);
  const elapsed = (state.overview.time - (then?.time ?? 0)) / 1000;
  return before === undefined || elapsed < 1 ? undefined : Math.max(0, endpoint.requests - before.requests) / elapsed;
};
const failedPart = ({ requests, failed }) => (requests === 0 ? 0 : failed / requests);
const quantileOf = (part) => (endpoint) => quantile(part, state.overview.latency.bounds, endpoint.latency);
const orNothing = (write, value) => (value === undefined || value === null ? undefined : write(value));

const endpointColumns = [
  { title: "Endpoint", value: ({ name }) => name, show: ({ name }) => name, isText: true },
  { title: "Requests", value: ({ requests }) => requests, show: ({ requests }) => count(requests) },
  { title: "Per second", value: (each) => perSecond(each) ?? 0, show: (each) => orNothing(number, perSecond(each)) },
  {
    title: "Failed",
    value: failedPart,
    show: (each) => (each.failed === 0 ? "0" : `${count(each.failed)} (${percent(failedPart(each))})`),
    weigh: (each) => (each.failed > 0 ? "bad" : ""),
  },
  { title: "50 %", value: (each) => quantileOf(0.5)(each) ?? -1, show: (each) => orNothing(seconds, quantileOf(0.5)(each)) },
  { title: "99 %", value: (each) => quantileOf(0.99)(each) ?? -1, show: (each) => orNothing(seconds, quantileOf(0.99)(each)) },
  { title: "In progress", value: ({ active }) => active, show: ({ active }) => count(active) },
];

function sortBy(column) {
  const { sort } = state;
  const isSame = sort.column === column;
  state.sort = { column, isAscending: isSame ? !sort.isAscending : endpointColumns[column].isText === true };
  byId("sort").value = String(column);
  showTables();
}

function showEndpoints() {
  const { column, isAscending } = state.sort;
  const { value } = endpointColumns[column];
  const rows = [...state.overview.endpoints].sort((a, b) => {
    const [one, other] = [value(a), value(b)];
    const order = typeof one === "string" ? one.localeCompare(other) : one - other;
    return isAscending ? order : -order;
  });
  table("endpoints", endpointColumns, rows, { none: "No request yet.", sort: { ...state.sort, by: sortBy } });
}

/** By how much a counter of a queue has grown in the last seconds, and in how many. */
const grown = (queue, of) => {
  const [then] = state.counted;
  const before = then?.queues?.find(({ name }) => name === queue.name);
  const elapsed = (state.overview.time - (then?.time ?? 0)) / 1000;
  return before === undefined || elapsed < 1 ? undefined : { by: Math.max(0, of(queue) - of(before)), elapsed };
};
const messageRate = (queue) => {
  const messages = grown(queue, (each) => each.messages);
  return messages && messages.by / messages.elapsed;
};
const lagOf = (queue) => {
  const begun = grown(queue, (each) => each.lag_count);
  return begun === undefined || begun.by === 0 ? undefined : grown(queue, (each) => each.lag_sum).by / begun.by;
};
const queueColumns = [
  { title: "Consumer", show: ({ name }) => name, isText: true },
  { title: "Queue", show: ({ queue }) => queue, isText: true },
  { title: "In progress", show: ({ active }) => count(active) },
  { title: "Waiting here", show: ({ buffered }) => count(buffered) },
  { title: "Per second", show: (each) => orNothing(number, messageRate(each)) },
  { title: "Lag", show: (each) => orNothing(seconds, lagOf(each)) },
  { title: "Retries", show: ({ retries }) => count(retries), weigh: ({ retries }) => (retries > 0 ? "look" : "") },
  { title: "Dead letters", show: ({ dead }) => count(dead), weigh: ({ dead }) => (dead > 0 ? "bad" : "") },
  { title: "Subscribed", show: ({ connected }) => count(connected), weigh: ({ connected }) => (connected === 0 ? "bad" : "") },
];

const share = (part, look, bad) => (part >= bad ? "bad" : part >= look ? "look" : "");
const workerColumns = [
  { title: "Worker", show: ({ index }) => index, isText: true, prefix: "Worker" },
  {
    title: "State",
    show: (worker) => worker.state,
    isText: true,
    weigh: ({ state: each }) => (each === "up" || each === "stopping" ? "" : "look"),
  },
  { title: "Generation", show: ({ generation }) => generation },
  { title: "Process", show: ({ pid }) => pid },
  { title: "Age", show: ({ age_seconds: each }) => orNothing(age, each) },
  { title: "In progress", show: ({ figures }) => orNothing(count, figures.active_requests) },
  { title: "Connections", show: ({ figures }) => orNothing(count, figures.open_connections) },
  {
    title: "Event loop",
    show: ({ figures }) => orNothing(percent, figures.event_loop_utilization),
    weigh: ({ figures }) => share(figures.event_loop_utilization, 0.7, 0.9),
  },
  {
    title: "Heap",
    show: ({ figures }) => orNothing(bytes, figures.heap_used),
    weigh: ({ figures }) => share(figures.heap_used / figures.heap_limit, 0.8, 0.9),
  },
  { title: "Resident", show: ({ figures }) => orNothing(bytes, figures.resident) },
];
const poolColumns = [
  { title: "Pool", show: ({ name }) => name, isText: true },
  { title: "Processes", show: ({ processes }) => processes },
  { title: "Size", show: ({ size }) => count(size) },
  { title: "In use", show: ({ in_use: used }) => count(used) },
  { title: "Idle", show: ({ idle }) => count(idle) },
  { title: "Waiting", show: ({ waiting }) => count(waiting), weigh: ({ waiting }) => (waiting > 0 ? "look" : "") },
];

/** A pool of each process is a part of one. */
function wholePools(pools) {
  const whole = new Map();
  for (const { client, size = 0, in_use: used = 0, idle = 0, waiting = 0 } of pools) {
    const all = whole.get(client) ?? { name: client, processes: 0, size: 0, in_use: 0, idle: 0, waiting: 0 };
    whole.set(client, {
      ...all,
      processes: all.processes + 1,
      size: all.size + size,
      in_use: all.in_use + used,
      idle: all.idle + idle,
      waiting: all.waiting + waiting,
    });
  }
  return [...whole.values()].sort((a, b) => a.name.localeCompare(b.name));
}

function showTables() {
  const { overview } = state;
  if (overview === undefined) return;
  const byPid = new Map(overview.processes.map((each) => [each.pid, each]));
  table(
    "workers",
    workerColumns,
    overview.workers.map((worker) => ({ ...worker, figures: byPid.get(worker.pid) ?? {} })),
  );
  showEndpoints();
  byId("queues-section").hidden = overview.queues.length === 0;
  table("queues", queueColumns, overview.queues);
  byId("pools-section").hidden = overview.pools.length === 0;
  table("pools", poolColumns, wholePools(overview.pools));
}

let shownEvents = "";
function showEvents() {
  const { events, records } = state.history;
  const text = JSON.stringify([events, records]);
  if (text === shownEvents) return;
  shownEvents = text;
  const target = byId("events");
  const open = new Set([...target.querySelectorAll("details[open]")].map((each) => each.dataset.key));
  const recordOf = new Map(records.map((record) => [record.pid, record]));
  const told = new Set(events.filter(({ type }) => type === "died").map(({ pid }) => pid));
  // Without a master of ours, nobody tells of a death: the record is all there is.
  const silent = records
    .filter(({ pid }) => !told.has(pid))
    .map(({ at, pid, index }) => ({ at, type: "died", pid, text: `worker ${index} (pid ${pid}) has gone without a word` }));
  const all = [...events, ...silent].sort((a, b) => b.at - a.at);
  const items = all.map((event) => {
    const record = event.type === "died" ? recordOf.get(event.pid) : undefined;
    const line = element(
      "span",
      { class: "line" },
      element("time", { datetime: new Date(event.at).toISOString() }, clock(event.at)),
      element("span", { class: `kind ${weights[event.type] ?? "plain"}` }, kindNames[event.type] ?? event.type),
      element("span", { class: "text" }, event.text),
    );
    const more = detailsOf(event, record);
    if (more.length === 0) return element("li", {}, line);
    const details = element(
      "details",
      { "data-key": `${event.at}${event.pid}${event.type}` },
      element("summary", {}, line),
      element("div", {}, ...more),
    );
    details.open = open.has(details.dataset.key);
    return element("li", {}, details);
  });
  target.replaceChildren(...(items.length === 0 ? [element("li", {}, "Nothing.")] : items));
}

const requestsText = (requests) => requests.map(({ method, route, ageMs }) => `${method} ${route} for ${seconds(ageMs / 1000)}`).join("\n");
const headings = { died: "Its last words", blocked: "Where it stood still", errors: "Which requests failed", abandoned: "Last words" };

function detailsOf({ type, details, requests = [] }, record) {
  const parts = [];
  const part = (title, text) => parts.push(element("h3", {}, title), element("pre", {}, text));
  if (details) part(headings[type] ?? "More", details);
  if (requests.length > 0) part("In progress", requestsText(requests));
  if (record === undefined) return parts;
  const {
    requests: served,
    active_requests: active,
    heap_used_bytes: heap,
    heap_limit_bytes: limit,
    memory_bytes: memory,
    seconds: last,
  } = record;
  part(
    `What it was serving at ${clock(record.at)}`,
    active === 0 ? "No request." : `${requestsText(served)}${active > served.length ? `\n… ${active} in all` : ""}`,
  );
  part("Its memory", `heap ${bytes(heap)} of ${bytes(limit)}, resident ${bytes(memory)}`);
  if (last.length > 0) {
    const lines = last.map(
      (each) =>
        `${clock(each.at)}  ${count(each.requests)} requests, ${count(each.errors)} failed, ${count(each.active)} in progress, event loop ${percent(each.event_loop_utilization)}, ${bytes(each.memory_bytes)}`,
    );
    part("Its last seconds", lines.join("\n"));
  }
  return parts;
}

function show() {
  draw();
  showTables();
  showEvents();
  byId("host").textContent = state.overview?.hostname ?? "";
}

async function ask(path) {
  const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(5000) });
  if (!response.ok) throw new Error(`status ${response.status}`);
  return await response.json();
}

async function askHistory() {
  const history = await ask(`/history.json?since=${state.kept.at(-1)?.time ?? 0}`);
  state.history = { events: history.events, records: history.records };
  state.kept = [...state.kept, ...history.points].filter(({ time }) => time > history.from);
  fitSpan();
  if (history.points.some((point) => point.messages_per_second > 0)) showQueues();
}

let askedHistoryAt = -Infinity;
async function poll() {
  try {
    if (performance.now() - askedHistoryAt >= historyIntervalMs) {
      await askHistory();
      askedHistoryAt = performance.now();
    }
    const overview = await ask("/metrics.json");
    state.overview = overview;
    state.failure = undefined;
    if (overview.messages > 0) showQueues();
    add(overview);
    if (!state.isPaused) show();
  } catch (error) {
    state.failure = error.message;
  }
  if (!state.isPaused || state.failure !== undefined) showState();
  setTimeout(() => void poll(), intervalMs);
}

for (const [n, { title }] of endpointColumns.entries()) byId("sort").append(element("option", { value: n }, title));
byId("sort").value = "1";
byId("sort").addEventListener("change", ({ target }) => {
  state.sort.column = -1;
  sortBy(Number(target.value));
});
byId("span").addEventListener("change", () => {
  state.hasChosenSpan = true;
  draw();
});
byId("pause").addEventListener("click", ({ currentTarget }) => {
  state.isPaused = !state.isPaused;
  currentTarget.setAttribute("aria-pressed", String(state.isPaused));
  currentTarget.textContent = state.isPaused ? "Go on" : "Pause";
  if (!state.isPaused) {
    show();
    showState();
  }
});
new ResizeObserver(() => draw()).observe(byId("plots"));
draw();
void poll();
