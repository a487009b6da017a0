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

const servers = {
  "by hand": (port: number): string[] => [path("apps/hello-by-hand.js"), String(port)],
  "by hand, with a logger": (port: number): string[] => [path("apps/hello-by-hand.js"), String(port), "logger"],
  tsserve: (port: number): string[] => [bin, path("apps/hello.ini"), "--bind", `127.0.0.1:${port}`],
};
type Name = keyof typeof servers;
const names = Object.keys(servers) as Name[];
const measured = new Map<Name, { ms: number; mb: number }[]>(names.map((name) => [name, []]));
for (let round = 0; round < rounds; round++) {
  for (const name of names) measured.get(name)?.push(await measure(servers[name]));
}
const of = (name: Name, kind: "ms" | "mb"): number => median((measured.get(name) ?? []).map((each) => each[kind]));
for (const name of names)
  console.log(`${name}: ${of(name, "ms").toFixed(0)} ms from exec to the first 200, ${of(name, "mb").toFixed(1)} MB resident`);
for (const name of names.slice(0, 2)) {
  console.log(
    `tsserve / ${name}: ${(of("tsserve", "ms") / of(name, "ms")).toFixed(2)} of the time, ${(of("tsserve", "mb") - of(name, "mb")).toFixed(1)} MB more`,
  );
}
