// How long from exec to the first 200, and how much memory then, against the same Fastify app started by hand?
import { firstAnswer, helloNames, type HelloServer, helloServers, median, residentMb, startPinned, stop } from "./servers.ts";
import { freePort } from "@tsserve/testing";

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

const measured = new Map<HelloServer, { ms: number; mb: number }[]>(helloNames.map((name) => [name, []]));
for (let round = 0; round < rounds; round++) {
  for (const name of helloNames) measured.get(name)?.push(await measure(helloServers[name]));
}
const of = (name: HelloServer, kind: "ms" | "mb"): number => median((measured.get(name) ?? []).map((each) => each[kind]));
for (const name of helloNames)
  console.log(`${name}: ${of(name, "ms").toFixed(0)} ms from exec to the first 200, ${of(name, "mb").toFixed(1)} MB resident`);
for (const name of helloNames.slice(0, 2)) {
  console.log(
    `tsserve / ${name}: ${(of("tsserve", "ms") / of(name, "ms")).toFixed(2)} of the time, ${(of("tsserve", "mb") - of(name, "mb")).toFixed(1)} MB more`,
  );
}
