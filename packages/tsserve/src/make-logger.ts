import { failureReports, findPeer, giveLineSink } from "@tsserve/server";
import ownPino, { type Logger, type LoggerOptions } from "pino";
import type { Host } from "./host.ts";
import { boundLine, isSurelyShort } from "./logging/bound-line.ts";
import { escapeJsonLine } from "./logging/escape-controls.ts";
import { LogOutput } from "./logging/log-output.ts";
import { reportOfLine } from "./logging/report-of-line.ts";
import { prettyLine } from "./logging/pretty-line.ts";
import { errorFields, requestFields, responseFields, withoutMessages } from "./logging/serializers.ts";
import { refuseFrozen } from "./refuse-frozen.ts";
import type { LoggingSettings, LogLevel } from "./logging-settings.ts";

/**
 * The logger of the process. No line holds a secret that the configuration knows of. Each line is written before the call returns,
 * where stdout takes it, so that none is lost at an exit.
 *
 * @param folder from where the app's packages are found
 * @throws {TsserveError} where the built-ins of JavaScript are frozen
 */
export function makeLogger(settings: LoggingSettings, host: Host, folder?: string): Logger {
  refuseFrozen();
  const pino = folder === undefined ? ownPino : pinoOf(folder);
  const base = { pid: host.pid, hostname: host.hostname };
  const options: LoggerOptions = {
    level: settings.level,
    base,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { req: requestFields, res: responseFields, err: errorFields },
    formatters: { level: (label) => ({ level: label }), log: withoutMessages },
    ...(failureReports().isWanted ? { hooks: { logMethod: tellFailures } } : {}),
    ...(settings.redact.length === 0 ? {} : { redact: [...settings.redact] }),
    ...(Object.keys(settings.levels).length === 0 ? {} : { onChild: (child) => setLevel(child, settings.levels) }),
  };
  const isPretty = settings.format === "pretty";
  const isColored = host.stdoutIsTerminal && host.env["NO_COLOR"] === undefined;
  const compose = (line: string): string => {
    const bounded = boundLine(host.masker.mask(line));
    return isPretty ? prettyLine(bounded, isColored) : bounded;
  };
  const output = new LogOutput(host.logDescriptor, (lost, reason) => compose(lostLine(host, lost, reason)));
  host.onExit(() => output.end());
  const write = (line: string): void => output.write(compose(line));
  const log = pino(options, { write });
  // The app's own pino may have been given something that looks at each line.
  if (pino === ownPino && settings.redact.length === 0)
    giveLineSink(log, {
      base,
      get revision() {
        return host.masker.revision;
      },
      clean: (part) => escapeJsonLine(host.masker.mask(part)),
      mayMask: (word) => host.masker.mayMask(word),
      writeClean: (line) => {
        if (!isPretty && isSurelyShort(line)) output.writeSoon(line);
        else write(line);
      },
    });
  return log;
}

/** What is logged at error or above with an error is told to the error tracker, too. */
const tellFailures: NonNullable<NonNullable<LoggerOptions["hooks"]>["logMethod"]> = function (values, method, level) {
  const report = reportOfLine(values, level, () => this.bindings());
  if (report !== undefined) failureReports().tell(report);
  return method.apply(this, values);
};

/** The app's own pino, where it has one that we know how to use: what instruments it instruments our lines, too. */
function pinoOf(folder: string): typeof ownPino {
  const found = findPeer("pino", [folder]) as typeof ownPino | undefined;
  if (typeof found !== "function" || found.version === ownPino.version) return ownPino;
  const major = Number(found.version?.split(".", 1)[0]);
  return major >= 8 && major <= 10 ? found : ownPino;
}

/** It can't go through the logger, which would write it behind the lines that wait. */
function lostLine({ pid, hostname }: Host, lost: number, reason: string): string {
  const msg = `${lost} ${lost === 1 ? "line" : "lines"} of the log could not be written (${reason})`;
  return `${JSON.stringify({ level: "warn", time: new Date().toISOString(), pid, hostname, logger: "tsserve", lost_lines: lost, reason, msg })}\n`;
}

/** The level of a logger's name, or of the longest name that it goes on from with a dot. */
function setLevel(child: Logger, levels: Readonly<Record<string, LogLevel>>): void {
  const name: unknown = child.bindings()["logger"];
  if (typeof name !== "string") return;
  const parts = name.split(".");
  for (let length = parts.length; length > 0; length--) {
    const level = levels[parts.slice(0, length).join(".")];
    if (level === undefined) continue;
    child.level = level;
    return;
  }
}
