import pino, { type DestinationStream, type Logger, type LoggerOptions } from "pino";
import type { Host } from "./host.ts";
import type { LoggingSettings, LogLevel } from "./logging-settings.ts";

/** The logger of the process. Each line is written before the call returns, so that none is lost at an exit. */
export async function makeLogger(settings: LoggingSettings, host: Host): Promise<Logger> {
  const options: LoggerOptions = {
    level: settings.level,
    base: { pid: host.pid, hostname: host.hostname },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    ...(settings.redact.length === 0 ? {} : { redact: [...settings.redact] }),
    ...(Object.keys(settings.levels).length === 0 ? {} : { onChild: (child) => setLevel(child, settings.levels) }),
  };
  return pino(options, settings.format === "pretty" ? await prettyStream() : pino.destination({ fd: 1, sync: true }));
}

async function prettyStream(): Promise<DestinationStream> {
  const { default: pretty } = await import("pino-pretty");
  const colorize = process.stdout.isTTY === true && process.env["NO_COLOR"] === undefined;
  return pretty({
    colorize,
    sync: true,
    destination: 1,
    translateTime: "SYS:HH:MM:ss.l",
    ignore: "pid,hostname,logger,stack",
    singleLine: true,
    messageFormat: ({ logger, msg, stack }) =>
      `${typeof logger === "string" ? `${logger}: ` : ""}${typeof msg === "string" ? msg : ""}${typeof stack === "string" ? `\n${stack}` : ""}`,
  });
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
