import { expect, test } from "vitest";
import { Changes } from "./changes.ts";

function rig(): { changes: Changes; files: Map<string, string>; tick(ms: number): void } {
  const files = new Map<string, string>();
  let now = 0;
  const read = (path: string): Buffer | undefined => {
    const text = files.get(path);
    return text === undefined ? undefined : Buffer.from(text);
  };
  const changes = new Changes({ read, isSource: (path) => path.endsWith(".js"), now: () => now });
  return { changes, files, tick: (ms) => (now += ms) };
}

test("a file that is new, changes, goes and comes again restarts; one that is written as it was does not", () => {
  const { changes, files } = rig();
  files.set("a.js", "1");
  expect([changes.judge("a.js"), changes.judge("a.js")]).toEqual(["restart", "ignored"]);
  files.set("a.js", "2");
  expect(changes.judge("a.js")).toBe("restart");
  files.delete("a.js");
  expect([changes.judge("a.js"), changes.judge("a.js")]).toEqual(["restart", "ignored"]);
  files.set("a.js", "2");
  expect(changes.judge("a.js")).toBe("restart");
});

test("what the app writes is ignored, unless it is source; somebody else's change of the same file is not", () => {
  const { changes, files, tick } = rig();
  files.set("data.json", "1").set("made.js", "1");
  changes.wrote("data.json");
  changes.wrote("made.js");
  expect([changes.judge("data.json"), changes.judge("made.js")]).toEqual(["ignored", "restart"]);
  tick(10_000);
  files.set("data.json", "2");
  expect(changes.judge("data.json")).toBe("restart");
});

test("source that the app writes anew at each start restarts it a few times, and then no more, until somebody else changes it", () => {
  const { changes, files, tick } = rig();
  const verdicts = Array.from({ length: 6 }, (_, round) => {
    files.set("made.js", String(round));
    changes.wrote("made.js");
    return changes.judge("made.js");
  });
  expect(verdicts).toEqual(["restart", "restart", "restart", "ignored from now on", "ignored", "ignored"]);
  tick(10_000);
  files.set("made.js", "by hand");
  expect(changes.judge("made.js")).toBe("restart");
  files.set("made.js", "again");
  changes.wrote("made.js");
  expect(changes.judge("made.js")).toBe("restart");
});
