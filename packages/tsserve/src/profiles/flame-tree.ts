import type { CallFrame, CpuProfile, HeapNode, HeapProfile } from "./v8-profiles.ts";

/** A function, as it was called by the ones above it. */
export interface FlameNode {
  readonly name: string;
  /** `/srv/app/app.js:12`; empty for what is no JavaScript. */
  readonly place: string;
  /** What was measured in itself, in the unit of the tree. */
  self: number;
  /** And in what it called. */
  total: number;
  readonly children: FlameNode[];
}

export interface FlameTree {
  readonly unit: "microseconds" | "bytes";
  /** All of it; the root is no function. */
  readonly root: FlameNode;
}

/** The tree of a `.cpuprofile`: how long each function ran. */
export function cpuTree({ nodes, samples = [], timeDeltas = [], startTime, endTime }: CpuProfile): FlameTree {
  const times = new Map<number, number>();
  for (const [index, id] of samples.entries()) {
    // A sample lasts until the next one; the delta of a sample is the time since the one before.
    const lasts = timeDeltas[index + 1] ?? Math.max(0, (endTime - startTime) / Math.max(1, samples.length));
    times.set(id, (times.get(id) ?? 0) + Math.max(0, lasts));
  }
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const interval = nodes.reduce((sum, { hitCount = 0 }) => sum + hitCount, 0);
  const timeOf = (id: number, hits: number): number =>
    samples.length > 0 ? (times.get(id) ?? 0) : interval === 0 ? 0 : ((endTime - startTime) * hits) / interval;
  const add = (id: number, parent: FlameNode): void => {
    const node = byId.get(id);
    if (node === undefined) return;
    const flame = childOf(parent, node.callFrame);
    flame.self += timeOf(id, node.hitCount ?? 0);
    for (const child of node.children ?? []) add(child, flame);
  };
  const root = makeNode("all", "");
  const [first] = nodes;
  if (first !== undefined) {
    root.self = timeOf(first.id, first.hitCount ?? 0);
    for (const child of first.children ?? []) add(child, root);
  }
  return { unit: "microseconds", root: summed(root) };
}

/** The tree of a `.heapprofile`: how much of what each function allocated is in use. */
export function heapTree({ head }: HeapProfile): FlameTree {
  const add = (node: HeapNode, parent: FlameNode): void => {
    const flame = childOf(parent, node.callFrame);
    flame.self += node.selfSize;
    for (const child of node.children) add(child, flame);
  };
  const root = makeNode("all", "");
  root.self = head.selfSize;
  for (const child of head.children) add(child, root);
  return { unit: "bytes", root: summed(root) };
}

/** V8 has one node for each way in which a function was compiled: they are one. */
function childOf(parent: FlameNode, frame: CallFrame): FlameNode {
  const name = frame.functionName === "" ? "(anonymous)" : frame.functionName;
  const place = placeOf(frame);
  const known = parent.children.find((child) => child.name === name && child.place === place);
  if (known !== undefined) return known;
  const node = makeNode(name, place);
  parent.children.push(node);
  return node;
}

/** Where a function stands, as an editor opens it. */
export function placeOf({ url, lineNumber }: CallFrame): string {
  if (url === "") return "";
  const path = url.startsWith("file://") ? decoded(url.slice("file://".length)) : url;
  return lineNumber < 0 ? path : `${path}:${lineNumber + 1}`;
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function makeNode(name: string, place: string): FlameNode {
  return { name, place, self: 0, total: 0, children: [] };
}

/** Sums up, leaves out where nothing was measured, and puts the widest first. */
function summed(node: FlameNode): FlameNode {
  for (const child of node.children) summed(child);
  const kept = node.children.filter(({ total }) => total > 0).sort((a, b) => b.total - a.total);
  node.children.splice(0, node.children.length, ...kept);
  node.total = kept.reduce((sum, { total }) => sum + total, node.self);
  return node;
}
