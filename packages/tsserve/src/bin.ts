import { openCompileCache } from "./compile-cache/compile-cache.ts";

// All that follows is loaded through it.
const compileCache = openCompileCache({
  args: process.argv.slice(2),
  env: process.env,
  cwd: workingFolder(),
  pid: process.pid,
  uid: process.geteuid?.(),
  execArgv: process.execArgv,
  build: `${process.version} ${process.arch}`,
});
/** One that has been removed meanwhile, as an old release is, is left: paths that begin at the root still mean what they did. */
function workingFolder(): string {
  try {
    return process.cwd();
  } catch {
    process.chdir("/");
    process.stderr.write("tsserve: the folder in which this was started does not exist any more; going on in /\n");
    return "/";
  }
}

void import("./process-host.ts").then(({ runProcess }) => runProcess(compileCache));
