import { openCompileCache } from "./compile-cache/compile-cache.ts";

// All that follows is loaded through it.
const compileCache = openCompileCache({
  args: process.argv.slice(2),
  env: process.env,
  cwd: process.cwd(),
  pid: process.pid,
  uid: process.geteuid?.(),
  execArgv: process.execArgv,
  build: `${process.version} ${process.arch}`,
});
void import("./process-host.ts").then(({ runProcess }) => runProcess(compileCache));
