import { resolve } from "node:path";
import { didYouMean } from "@tsserve/config";
import { isKitName, kits } from "@tsserve/deploy";
import { exitCodes } from "@tsserve/server";
import { planDeployment } from "../deploy/plan-deployment.ts";
import { warnOfOtherPlaces } from "../deploy/warn-of-other-places.ts";
import { writeNewFiles } from "../deploy/write-new-files.ts";
import type { Host } from "../host.ts";
import type { OptionValues } from "../options.ts";
import { UsageError } from "../usage-error.ts";

/** Prints the files of one kind of deployment, or writes them into the folder of `--output`. */
export async function run(host: Host, [kind, ...positionals]: readonly string[], values: OptionValues): Promise<number> {
  const names = Object.keys(kits);
  if (kind === undefined || !isKitName(kind)) {
    const found = kind === undefined ? "" : `, found "${kind}"${didYouMean(kind, names)}`;
    throw new UsageError(`expected tsserve kit ${names.join("|")} CONFIG.ini${found}`);
  }
  const plan = await planDeployment(host, positionals, values, { carriesFile: false });
  // An image listens at all ports of its section, and logrotate at none.
  if (kind !== "docker" && kind !== "logrotate") warnOfOtherPlaces(host, plan);
  const files = kits[kind](plan);
  if (values.output !== undefined) {
    for (const path of writeNewFiles(resolve(host.cwd, values.output), files)) host.print(path);
    return exitCodes.stopped;
  }
  const isAlone = files.size === 1;
  host.print(
    [...files]
      .map(([name, text]) => (isAlone ? text : `# ---- ${name}\n${text}`))
      .join("\n")
      .trimEnd(),
  );
  return exitCodes.stopped;
}
