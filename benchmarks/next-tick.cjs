// What does `process.nextTick` cost before and after the heap was collected, with the shape of ticks kept and without?
// node --expose-gc benchmarks/next-tick.cjs [kept]
const { executionAsyncResource } = require("node:async_hooks");

const calls = 200_000;
const nanosOfCall = () =>
  new Promise((resolve) => {
    const begin = process.hrtime.bigint();
    let count = 0;
    const tick = () => {
      count += 1;
      if (count < calls) process.nextTick(tick);
      else resolve(Number(process.hrtime.bigint() - begin) / calls);
    };
    process.nextTick(tick);
  });
const pause = () => new Promise((resolve) => setTimeout(resolve, 20));

async function rounds() {
  const nanos = [];
  for (let round = 0; round < 6; round++) {
    await pause();
    nanos.push(Math.round(await nanosOfCall()));
  }
  return nanos.join(" ");
}

async function main() {
  let kept;
  if (process.argv[2] === "kept") await new Promise((resolve) => process.nextTick(() => resolve(void (kept = executionAsyncResource()))));
  console.log(`ns a call: ${await rounds()}`);
  for (let collections = 0; collections < 5; collections++) {
    globalThis.gc();
    await pause();
  }
  console.log(`after five collections: ${await rounds()}${kept === undefined ? "" : " (kept)"}`);
}

void main();
