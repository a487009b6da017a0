import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";

/** Run by Node with V8's own functions: whether what is kept has the shape of ticks, before and after the heap was collected. */
const program = `
import { executionAsyncResource } from "node:async_hooks";
const { keepTick } = await import(process.env.MODULE);
const ticked = () => new Promise((resolve) => process.nextTick(resolve));
const kept = () => globalThis[Symbol.for("tsserve.tick")];
const isShapeKept = () => new Promise((resolve) => process.nextTick(() => resolve(%HaveSameMap(kept(), executionAsyncResource()))));
keepTick();
await ticked();
const first = kept();
const seen = [await isShapeKept()];
for (let n = 0; n < 5; n++) {
  gc();
  await new Promise((resolve) => setTimeout(resolve, 1));
  seen.push(await isShapeKept());
}
keepTick();
await ticked();
console.log(JSON.stringify({ seen, isSame: kept() === first, isTick: Object.hasOwn(first, "callback") }));
`;

it("keeps the shape of ticks, however often the heap is collected meanwhile", () => {
  const args = ["--allow-natives-syntax", "--expose-gc", "--import", "tsx", "--input-type=module", "--eval", program];
  const env = { ...process.env, MODULE: new URL("keep-tick.ts", import.meta.url).href };
  const printed = execFileSync(process.execPath, args, { encoding: "utf8", env, cwd: new URL(".", import.meta.url) });
  expect(JSON.parse(printed)).toEqual({ seen: Array(6).fill(true), isSame: true, isTick: true });
});
