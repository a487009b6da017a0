import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";

/**
 * A master runs little code, once a second: V8's optimizing compilers would cost it some 9 MB of memory and save it
 * nothing. They are turned off before they are first used, which is sooner than the options are read; whoever is taken
 * for a master here and is none serves more slowly, but serves.
 */
if (isMaster()) {
  setFlagsFromString("--no-opt");
  setFlagsFromString("--no-maglev");
  setFlagsFromString("--no-sparkplug");
}

function isMaster(): boolean {
  const { argv, env, ppid } = process;
  if (env["EINHORN_MASTER_PID"] === String(ppid) || argv.some((each) => each.startsWith("--reload"))) return false;
  if (env["TSSERVE_WORKERS"] !== undefined || argv.some((each) => /^--workers(?:=|$)/.test(each))) return true;
  const file = argv.slice(2).find((each) => each.endsWith(".ini"));
  const isServe = !argv.slice(2, 3).some((each) => /^[a-z]+$/.test(each) && each !== "serve");
  try {
    return isServe && file !== undefined && /^workers\s*[:=]/m.test(readFileSync(file, "utf8"));
  } catch {
    return false;
  }
}
