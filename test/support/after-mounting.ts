import type { SpawnOptions } from "@tsserve/testing";

/** Has the server run in a mount namespace of its own, after this was done there. Needs root. */
export function afterMounting(commands: string): Pick<SpawnOptions, "node" | "nodeArgs"> {
  const node = process.env["TSSERVE_TEST_NODE"] ?? process.execPath;
  return { node: "/usr/bin/env", nodeArgs: ["unshare", "-m", "sh", "-c", `${commands} && exec "$@"`, "sh", node] };
}
