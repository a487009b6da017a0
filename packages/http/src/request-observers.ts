import { resolve } from "node:path";
import { ConfigurationError } from "@tsserve/config";
import { systemClock, type ServerContext } from "@tsserve/server";
import { makeAccessLog, type AccessLog } from "./access-log.ts";
import { LogFile } from "./log-file.ts";
import { RequestMetrics } from "./request-metrics.ts";
import type { HttpSettings } from "./settings.ts";

/** Those who are told what became of requests. */
export interface RequestObservers {
  readonly log: AccessLog | undefined;
  readonly file: LogFile | undefined;
  readonly metrics: RequestMetrics | undefined;
}

/**
 * @param upgrades how many connections are another protocol's
 * @throws {ConfigurationError} when the access log's file can't be written
 */
export function makeRequestObservers(settings: HttpSettings, context: ServerContext, upgrades: () => number): RequestObservers {
  const { accessLog, clientMaxSize: bodyLimit } = settings;
  const metrics = context.meter === undefined ? undefined : new RequestMetrics(context.meter, context.requests, upgrades);
  if (accessLog === undefined) return { log: undefined, file: undefined, metrics };
  const file = accessLog.path === undefined ? undefined : openFile(accessLog.path, context);
  const log = makeAccessLog({
    log: context.logger("tsserve.access"),
    file,
    settings: accessLog,
    bodyLimit,
    random: Math.random,
  });
  return { log, file, metrics };
}

function openFile(written: string, { folder, log }: ServerContext): LogFile {
  try {
    const lostLines = (count: number): string =>
      count === 0 ? "no line is lost" : `${count} ${count === 1 ? "line is" : "lines are"} lost`;
    return new LogFile(resolve(folder, written), systemClock, {
      failing: (error, isLosing) => {
        const what = isLosing ? "can't be written: lines are lost until it can" : "can't be opened anew: lines go to where it was";
        log.error({ err: error }, `the access log ${written} ${what}: ${error.message}`);
      },
      well: (lost) => log.warn({ lost_lines: lost }, `the access log ${written} is written again: ${lostLines(lost)}`),
      gaveUp: (lost) => log.error({ lost_lines: lost }, `the access log ${written} could not be written to the end: ${lostLines(lost)}`),
    });
  } catch (error) {
    const message = `expected a file that can be appended to: ${(error as Error).message}`;
    throw new ConfigurationError([{ key: "access_log", message, value: written }]);
  }
}
