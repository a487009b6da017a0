import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cpuTree, heapTree, placeOf, type FlameNode } from "./flame-tree.ts";
import type { CallFrame, CpuNode, HeapNode } from "./v8-profiles.ts";

const frame = (functionName: string, url = "file:///srv/app.js", lineNumber = 0): CallFrame => ({
  functionName,
  url,
  lineNumber,
  columnNumber: 0,
});

/** `a(5)[b(3)]`: who has what in itself, and calls whom. */
function print({ name, self, children }: FlameNode): string {
  return `${name}(${Math.round(self)})${children.length === 0 ? "" : `[${children.map(print).join(" ")}]`}`;
}

describe("the tree of a CPU profile", () => {
  const nodes: CpuNode[] = [
    { id: 1, callFrame: frame("(root)", "", -1), children: [2, 4] },
    { id: 2, callFrame: frame("main"), hitCount: 1, children: [3] },
    { id: 3, callFrame: frame("work", "file:///srv/app.js", 7), hitCount: 3 },
    { id: 4, callFrame: frame("(idle)", "", -1), hitCount: 1 },
  ];

  test("gives each sample the time until the next one", () => {
    const tree = cpuTree({ nodes, startTime: 0, endTime: 60, samples: [2, 3, 3, 4], timeDeltas: [5, 10, 20, 10] });
    expect(print(tree.root)).toBe("all(0)[main(10)[work(30)] (idle)(15)]");
    expect(tree.root.total).toBe(55);
    expect(tree.root.children[0]?.children[0]?.place).toBe("/srv/app.js:8");
  });

  test("shares the whole time by hits where there are no samples", () => {
    expect(print(cpuTree({ nodes, startTime: 0, endTime: 100 }).root)).toBe("all(0)[main(20)[work(60)] (idle)(20)]");
  });

  test("makes one of a function that was compiled in several ways, and keeps functions of one name apart", () => {
    const twice: CpuNode[] = [
      { id: 1, callFrame: frame("(root)", "", -1), children: [2, 3, 4] },
      { id: 2, callFrame: frame("", "file:///srv/a.js", 3) },
      { id: 3, callFrame: frame("", "file:///srv/a.js", 3) },
      { id: 4, callFrame: frame("", "file:///srv/a.js", 9) },
    ];
    const tree = cpuTree({ nodes: twice, startTime: 0, endTime: 3, samples: [2, 3, 4], timeDeltas: [0, 1, 1] });
    expect(print(tree.root)).toBe("all(0)[(anonymous)(2) (anonymous)(1)]");
  });

  test.each([
    ["nothing", { nodes: [], startTime: 0, endTime: 0 }],
    ["no samples, no hits", { nodes: [{ id: 1, callFrame: frame("(root)") }], startTime: 0, endTime: 9 }],
    ["a child that is not there", { nodes: [{ id: 1, callFrame: frame("(root)"), children: [9] }], startTime: 0, endTime: 9, samples: [] }],
    ["time that goes back", { nodes, startTime: 9, endTime: 0, samples: [2], timeDeltas: [-5] }],
  ])("of %s is empty, not an error", (_, profile) => {
    const { root } = cpuTree(profile);
    expect([root.total, root.children]).toEqual([0, []]);
  });
});

describe("the tree of a heap profile", () => {
  test("has the bytes of each function, the largest first, without those that have none", () => {
    const node = (functionName: string, selfSize: number, children: HeapNode[] = []): HeapNode => ({
      callFrame: frame(functionName),
      selfSize,
      children,
    });
    const head = node("(root)", 0, [node("small", 10), node("none", 0, [node("empty", 0)]), node("large", 5, [node("inner", 100)])]);
    const { root, unit } = heapTree({ head });
    expect([unit, print(root)]).toEqual(["bytes", "all(0)[large(5)[inner(100)] small(10)]"]);
  });

  test("loses nothing: the whole is the sum of what each has in itself", () => {
    const { node } = fc.letrec<{ node: HeapNode }>((tie) => ({
      node: fc.record({
        callFrame: fc.record({
          functionName: fc.constantFrom("a", "b", ""),
          url: fc.constantFrom("", "file:///x.js"),
          lineNumber: fc.nat(3),
          columnNumber: fc.nat(1),
        }),
        selfSize: fc.nat(1000),
        children: fc.oneof({ maxDepth: 5 }, fc.constant([]), fc.array(tie("node"), { maxLength: 3 })),
      }),
    }));
    const sumOf = ({ selfSize, children }: HeapNode): number => children.reduce((sum, child) => sum + sumOf(child), selfSize);
    const isSound = (flame: FlameNode): boolean =>
      flame.total === flame.children.reduce((sum, { total }) => sum + total, flame.self) && flame.children.every(isSound);
    fc.assert(
      fc.property(node, (head) => {
        const { root } = heapTree({ head });
        expect([root.total, isSound(root)]).toEqual([sumOf(head), true]);
      }),
    );
  });
});

describe("a place", () => {
  test.each([
    [frame("f", "file:///srv/my%20app/a.js", 11), "/srv/my app/a.js:12"],
    [frame("f", "file:///srv/100%/a.js", 0), "/srv/100%/a.js:1"],
    [frame("f", "node:internal/timers", 4), "node:internal/timers:5"],
    [frame("(program)", "", -1), ""],
    [frame("f", "wasm://x", -1), "wasm://x"],
  ])("is as an editor opens it: %o", (given, expected) => expect(placeOf(given)).toBe(expected));
});
