import { isIP } from "node:net";
import type { Endpoint } from "@tsserve/config";

type TcpEndpoint = Extract<Endpoint, { host: string }>;

/**
 * The endpoints without those that others of them have already: two sockets of one process would exclude each other. `0.0.0.0` and
 * `[::]` of one port together are all interfaces, and an address of a port that is open on all of them is among these. Port 0 is
 * another one each time. Names stay, for they may stand for further addresses.
 */
export function withoutOverlap(endpoints: readonly Endpoint[]): Endpoint[] {
  const kept: Endpoint[] = [];
  for (const endpoint of endpoints) {
    if ("path" in endpoint) {
      if (!kept.some((other) => "path" in other && other.path === endpoint.path)) kept.push(endpoint);
      continue;
    }
    const wide = widened(endpoint, endpoints);
    if (!kept.some((other) => !("path" in other) && isSame(other, wide))) kept.push(wide);
  }
  return kept;
}

function isSame(one: TcpEndpoint, other: TcpEndpoint): boolean {
  return one.port !== 0 && one.port === other.port && one.host === other.host;
}

/** The endpoint itself, or the one among all that takes its connections along. */
function widened(endpoint: TcpEndpoint, endpoints: readonly Endpoint[]): TcpEndpoint {
  const { host, port } = endpoint;
  if (port === 0 || isIP(host) === 0) return endpoint;
  const has = (wanted: string): boolean => endpoints.some((other) => !("path" in other) && other.port === port && other.host === wanted);
  if (has("") || (has("0.0.0.0") && has("::"))) return { host: "", port };
  if (has("::")) return { host: "::", port };
  return has("0.0.0.0") && isIP(host) === 4 ? { host: "0.0.0.0", port } : endpoint;
}
