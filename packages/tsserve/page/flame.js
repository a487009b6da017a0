// The flame graph: one row for each depth, the width is what was measured. Nothing of the profile is ever read as HTML.
(() => {
  const { unit, functions, nodes: flat } = JSON.parse(document.getElementById("data").textContent);
  const rowHeight = 22;
  const narrowestPx = 0.7;
  const graph = document.getElementById("graph");
  const tip = document.getElementById("tip");
  const search = document.getElementById("search");
  const idle = document.getElementById("idle");
  const isTime = unit === "microseconds";

  const nodes = flat.map(([fn, parent, self]) => ({
    name: functions[fn * 2],
    place: functions[fn * 2 + 1],
    fn,
    self,
    total: self,
    parent: parent < 0 ? undefined : parent,
    children: [],
    depth: 0,
  }));
  const root = nodes[0];
  for (const node of nodes.slice(1)) {
    node.parent = nodes[node.parent];
    node.parent.children.push(node);
    node.depth = node.parent.depth + 1;
  }
  const isIdle = (node) => isTime && node.place === "" && node.name === "(idle)";
  let focus = root;
  let query = "";

  /** Adds up anew: what is idle counts only where it is wanted. */
  function measure() {
    for (const node of nodes) node.total = isIdle(node) && !idle.checked ? 0 : node.self;
    for (let index = nodes.length - 1; index > 0; index--) nodes[index].parent.total += nodes[index].total;
  }

  function amount(value) {
    if (isTime) return value >= 1e6 ? `${(value / 1e6).toFixed(2)} s` : `${(value / 1000).toFixed(1)} ms`;
    return value >= 2 ** 20 ? `${(value / 2 ** 20).toFixed(1)} MB` : `${(value / 1024).toFixed(1)} kB`;
  }

  function share(value) {
    const part = root.total === 0 ? 0 : (100 * value) / root.total;
    return `${part >= 10 ? part.toFixed(0) : part.toFixed(1)} %`;
  }

  /** Colours tell files apart: warm hues, the same for one file each time. */
  function colour(node) {
    if (node.place === "") return "hsl(210 12% 74%)";
    if (node.place.startsWith("node:")) return "hsl(150 32% 70%)";
    const file = node.place.replace(/:\d+$/, "");
    let hash = 7;
    for (let at = 0; at < file.length; at++) hash = (hash * 31 + file.charCodeAt(at)) % 9973;
    return file.includes("/node_modules/") ? `hsl(${190 + (hash % 40)} 45% 74%)` : `hsl(${8 + (hash % 44)} 86% ${64 + (hash % 9)}%)`;
  }

  const matches = (node) => query !== "" && `${node.name} ${node.place}`.toLowerCase().includes(query);

  function render(focusFrame) {
    const width = graph.clientWidth;
    const shown = [];
    const above = [];
    for (let node = focus.parent; node !== undefined; node = node.parent) above.unshift(node);
    for (const node of above) shown.push({ node, x: 0, w: width });
    const place = (node, x, w) => {
      if (w < narrowestPx) return;
      shown.push({ node, x, w });
      let at = x;
      for (const child of node.children) {
        const wide = node.total === 0 ? 0 : (w * child.total) / node.total;
        place(child, at, wide);
        at += wide;
      }
    };
    place(focus, 0, width);
    const deepest = Math.max(...shown.map(({ node }) => node.depth));
    const frames = shown.map(({ node, x, w }) => {
      const frame = document.createElement("div");
      frame.className = "frame";
      frame.setAttribute("role", "treeitem");
      frame.setAttribute("aria-level", String(node.depth + 1));
      frame.setAttribute("aria-label", `${node.name}, ${amount(node.total)}, ${share(node.total)}`);
      if (node.children.length > 0) frame.setAttribute("aria-expanded", "true");
      frame.tabIndex = node === focus ? 0 : -1;
      if (w > 24) frame.textContent = node.name;
      else frame.classList.add("narrow");
      if (above.includes(node)) frame.classList.add("dim");
      if (matches(node)) frame.classList.add("hit");
      frame.style.left = `${x}px`;
      frame.style.width = `${w}px`;
      frame.style.top = `${node.depth * rowHeight}px`;
      frame.style.background = colour(node);
      frame.node = node;
      return frame;
    });
    graph.style.height = `${(deepest + 1) * rowHeight}px`;
    graph.replaceChildren(...frames);
    if (focusFrame !== undefined) graph.querySelector('[tabindex="0"]')?.focus();
    document.getElementById("reset").disabled = focus === root;
    renderPath(above);
    renderFound();
  }

  function renderPath(above) {
    const parts = [];
    for (const node of focus === root ? [] : [...above, focus]) {
      if (parts.length > 0) parts.push(document.createTextNode("›"));
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = node.name;
      button.addEventListener("click", () => zoom(node));
      parts.push(button);
    }
    document.getElementById("path").replaceChildren(...parts);
  }

  /** What is below a match is a part of it: it counts once. */
  function renderFound() {
    let sum = 0;
    const visit = (node) => {
      if (matches(node)) sum += node.total;
      else for (const child of node.children) visit(child);
    };
    visit(root);
    document.getElementById("found").textContent = query === "" ? "" : sum === 0 ? "nothing found" : `${amount(sum)}, ${share(sum)}`;
  }

  function renderTop() {
    const sums = new Map();
    const visit = (node, above) => {
      const entry = sums.get(node.fn) ?? { node, self: 0, total: 0 };
      if (!(isIdle(node) && !idle.checked)) entry.self += node.self;
      // A function that calls itself counts once.
      if (!above.has(node.fn)) entry.total += node.total;
      sums.set(node.fn, entry);
      const next = new Set(above).add(node.fn);
      for (const child of node.children) visit(child, next);
    };
    for (const child of root.children) visit(child, new Set());
    const rows = [...sums.values()].filter(({ self }) => self > 0).sort((a, b) => b.self - a.self);
    const cell = (text, className, small) => {
      const td = document.createElement("td");
      td.textContent = text;
      if (className) td.className = className;
      if (small) {
        const element = document.createElement("small");
        element.textContent = small;
        td.append(element);
      }
      return td;
    };
    const made = rows.slice(0, 30).map(({ node, self, total }) => {
      const row = document.createElement("tr");
      row.append(cell(node.name, "", node.place), cell(amount(self), "number", share(self)), cell(amount(total), "number", share(total)));
      return row;
    });
    document.querySelector("#top tbody").replaceChildren(...made);
  }

  function zoom(node, keepFocus) {
    focus = node;
    hideTip();
    render(keepFocus);
  }

  function showTip(frame, x, y) {
    const { node } = frame;
    const name = document.createElement("b");
    name.textContent = node.name;
    const place = document.createElement("div");
    place.textContent = node.place;
    const figures = document.createElement("div");
    figures.textContent = `${amount(node.total)}, ${share(node.total)}; itself ${amount(node.self)}`;
    tip.replaceChildren(name, ...(node.place === "" ? [] : [place]), figures);
    tip.hidden = false;
    tip.style.left = `${Math.max(8, Math.min(x + 12, innerWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${y + 18 + tip.offsetHeight > innerHeight ? Math.max(8, y - tip.offsetHeight - 8) : y + 18}px`;
  }

  function hideTip() {
    tip.hidden = true;
  }

  const frameOf = (target) => target.closest?.(".frame") ?? undefined;
  graph.addEventListener("click", (event) => {
    const frame = frameOf(event.target);
    if (frame) zoom(frame.node, true);
  });
  graph.addEventListener("pointermove", (event) => {
    const frame = frameOf(event.target);
    if (frame) showTip(frame, event.clientX, event.clientY);
    else hideTip();
  });
  graph.addEventListener("pointerleave", hideTip);
  graph.addEventListener("focusin", (event) => {
    const frame = frameOf(event.target);
    if (!frame) return;
    for (const each of graph.querySelectorAll('[tabindex="0"]')) each.tabIndex = -1;
    frame.tabIndex = 0;
    const { left, bottom } = frame.getBoundingClientRect();
    showTip(frame, left, bottom - 18);
  });
  graph.addEventListener("focusout", hideTip);
  graph.addEventListener("keydown", (event) => {
    const frame = frameOf(event.target);
    if (!frame) return;
    const next = neighbour(frame, event.key);
    if (next) next.focus();
    else if (event.key === "Enter" || event.key === " ") zoom(frame.node, true);
    else return;
    event.preventDefault();
  });

  /** The frame that an arrow leads to: the caller, the widest that is called, or the one beside it in the row. */
  function neighbour(frame, key) {
    const frames = [...graph.children];
    if (key === "ArrowUp") return frames.find((each) => each.node === frame.node.parent);
    if (key === "ArrowDown") return frames.find((each) => each.node.parent === frame.node);
    if (key !== "ArrowLeft" && key !== "ArrowRight") return undefined;
    const row = frames
      .filter((each) => each.node.depth === frame.node.depth)
      .sort((a, b) => parseFloat(a.style.left) - parseFloat(b.style.left));
    return row[row.indexOf(frame) + (key === "ArrowLeft" ? -1 : 1)];
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== search) {
      search.focus();
      event.preventDefault();
    } else if (event.key === "Escape") {
      if (query !== "") {
        search.value = "";
        query = "";
        render();
      } else if (focus.parent !== undefined) zoom(focus.parent, true);
    }
  });
  search.addEventListener("input", () => {
    query = search.value.trim().toLowerCase();
    render();
  });
  idle.addEventListener("change", () => {
    focus = root;
    measure();
    render();
    renderTop();
  });
  document.getElementById("reset").addEventListener("click", () => zoom(root));
  addEventListener("resize", () => render());

  document.getElementById("idle-tool").hidden = !nodes.some(isIdle);
  measure();
  render();
  renderTop();
})();
