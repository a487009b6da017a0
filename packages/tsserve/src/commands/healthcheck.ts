import { request } from "node:http";
import { endpoint, formatEndpoint, timespanOrSeconds, type Endpoint } from "@tsserve/config";
import { exitCodes, parseProbe, probeNumbers, timerMs, type Probe } from "@tsserve/server";
import type { Host } from "../host.ts";
import type { OptionValues } from "../options.ts";
import { parseArgument, UsageError } from "../usage-error.ts";

const defaultTimeoutMs = 1000;
/** More of an answer than this is not worth reading. */
const longestAnswer = 1000;

/** Asks a running server how it is: prints `OK!`, or the reason why not. */
export async function run(host: Host, positionals: readonly string[], values: OptionValues): Promise<number> {
  const asked = await whomToAsk(host, positionals, values);
  const probe = parseProbe(values.probe ?? "readiness");
  if (probe === undefined) throw new UsageError(`--probe: expected readiness, liveness or startup, found "${values.probe}"`);
  const timeoutMs = values.timeout === undefined ? defaultTimeoutMs : parseArgument("--timeout", values.timeout, timespanOrSeconds);
  if (asked === undefined) {
    host.print("OK: of what is served there, nothing can be asked: its port tells a check nothing, and metrics are off");
    return exitCodes.stopped;
  }
  const { ask, target } = asked;
  try {
    await ask(target, probe, timeoutMs);
    host.print("OK!");
    return exitCodes.stopped;
  } catch (error) {
    host.printError(`${formatEndpoint(target)}: ${(error as Error).message}`);
    return 1;
  }
}

type Ask = (target: Endpoint, probe: Probe, timeoutMs: number) => Promise<void>;

interface Asked {
  readonly ask: Ask;
  readonly target: Endpoint;
}

const asks: Readonly<Record<"http" | "thrift", Ask>> = { http: askHttp, thrift: askThrift };

/** A kind and an endpoint, or a file, whose sections say both. */
async function whomToAsk(host: Host, positionals: readonly string[], values: OptionValues): Promise<Asked | undefined> {
  const [kind, where] = positionals;
  if (kind === "http" || kind === "thrift") {
    if (where === undefined || positionals.length > 2) throw new UsageError(`expected tsserve healthcheck ${kind} ENDPOINT`);
    return { ask: asks[kind], target: parseArgument("ENDPOINT", where, endpoint) };
  }
  if (where !== undefined) throw new UsageError("expected tsserve healthcheck http|thrift ENDPOINT");
  if (kind === undefined) throw new UsageError("expected tsserve healthcheck http|thrift ENDPOINT, or tsserve healthcheck CONFIG.ini");
  // Whoever names an endpoint needs nothing of this.
  const [{ planDeployment }, { healthTarget }] = await Promise.all([import("../deploy/plan-deployment.ts"), import("@tsserve/deploy")]);
  const plan = await planDeployment(host, [kind], values, { carriesFile: false });
  const target = healthTarget(plan);
  if (target === undefined) return undefined;
  const isExporter = target.port !== plan.port;
  const place = isExporter ? undefined : plan.unixSocket;
  const address = isExporter ? undefined : plan.address;
  return { ask: asks[target.kind], target: place === undefined ? { host: address ?? "127.0.0.1", port: target.port } : { path: place } };
}

async function askHttp(target: Endpoint, probe: Probe, timeoutMs: number): Promise<void> {
  const where =
    "path" in target ? { socketPath: target.path } : { host: target.host === "" ? "localhost" : target.host, port: target.port };
  const { status, body } = await new Promise<{ status: number; body: string }>((resolve, reject) => {
    const asked = request(
      { ...where, path: `/health?type=${probe}`, agent: false, signal: AbortSignal.timeout(timerMs(timeoutMs)) },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => (text = (text + chunk).slice(0, longestAnswer)));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
        response.on("error", reject);
      },
    );
    asked.on("error", (error) =>
      reject(error.name === "AbortError" || error.name === "TimeoutError" ? new Error(`no answer within ${timeoutMs} ms`) : error),
    );
    asked.end();
  });
  if (status !== 200) throw new Error(`the ${probe} probe got ${status} ${body.trim()}`);
}

async function askThrift(target: Endpoint, probe: Probe, timeoutMs: number): Promise<void> {
  // Only this probe needs it.
  const { baseplateService, makeClient } = await import("@tsserve/thrift");
  const client = makeClient(baseplateService(), { endpoint: target, timeoutMs, size: 1 });
  try {
    const isHealthy: unknown = await client.call("is_healthy", [{ probe: probeNumbers[probe] }]);
    if (isHealthy !== true) throw new Error(`the ${probe} probe got ${String(isHealthy)}`);
  } finally {
    client.close();
  }
}
