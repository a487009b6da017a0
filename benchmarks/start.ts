// How long from exec to the first 200, and how much memory then, against the same Fastify app started by hand?
import { bin, firstAnswer, freePort, median, path, residentMb, startPinned, stop } from "./servers.ts";

const rounds = Number(process.argv[2] ?? 20);

async function measure(args: (port: number) => string[]): Promise<{ ms: number; mb: number }> {
  const port = await freePort();
  const begun = performance.now();
  const server = startPinned(0, args(port));
  const ms = (await firstAnswer(port)) - begun;
  // The watchdog thread comes after the first answer; its memory counts.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const mb = residentMb(server.pid as number);
  await stop(server);
  return { ms, mb };
}

const hand: { ms: number; mb: number }[] = [];
const tsserve: { ms: number; mb: number }[] = [];
for (let round = 0; round < rounds; round++) {
  hand.push(await measure((port) => [path("apps/hello-by-hand.js"), String(port)]));
  tsserve.push(await measure((port) => [bin, path("apps/hello.ini"), "--bind", `127.0.0.1:${port}`]));
}
const ms = (figures: typeof hand): number => median(figures.map((each) => each.ms));
const mb = (figures: typeof hand): number => median(figures.map((each) => each.mb));
console.log(`exec to first 200: by hand ${ms(hand).toFixed(0)} ms, tsserve ${ms(tsserve).toFixed(0)} ms, ratio ${(ms(tsserve) / ms(hand)).toFixed(2)}`);
console.log(`resident memory: by hand ${mb(hand).toFixed(1)} MB, tsserve ${mb(tsserve).toFixed(1)} MB, difference ${(mb(tsserve) - mb(hand)).toFixed(1)} MB`);
