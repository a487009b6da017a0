import type { DeploymentPlan } from "@tsserve/deploy";
import type { Host } from "../host.ts";

/** What is derived has one place to listen. Where the file has more, somebody has to know that they are not in it. */
export function warnOfOtherPlaces(host: Pick<Host, "printError">, { port, unixSocket, otherPlaces = [] }: DeploymentPlan): void {
  if (otherPlaces.length === 0) return;
  const isOne = otherPlaces.length === 1;
  host.printError(
    `tsserve: the file has the server listen at ${unixSocket ?? `port ${port}`}, which is all that is written here, and at ${otherPlaces.join(", ")}: add ${isOne ? "that" : "those"} by hand`,
  );
}
