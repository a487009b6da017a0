import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * The folder of the module that called the function which calls this one.
 *
 * @param callee that function: its frames, and those above, are left out
 * @returns `undefined` where no file called it, as in a REPL
 */
export function callerFolder(callee: (...args: never[]) => unknown): string | undefined {
  const { prepareStackTrace, stackTraceLimit } = Error;
  const holder: { stack?: unknown } = {};
  try {
    Error.stackTraceLimit = 1;
    Error.prepareStackTrace = (_error, sites) => sites;
    Error.captureStackTrace(holder, callee);
    const [site] = holder.stack as NodeJS.CallSite[];
    const file = site?.getFileName() ?? undefined;
    if (file === undefined || file === null) return undefined;
    if (file.startsWith("file://")) return dirname(fileURLToPath(file));
    return file.startsWith("/") ? dirname(file) : undefined;
  } finally {
    Error.prepareStackTrace = prepareStackTrace;
    Error.stackTraceLimit = stackTraceLimit;
  }
}
