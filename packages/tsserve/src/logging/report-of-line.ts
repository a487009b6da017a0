import type { FailureReport } from "@tsserve/server";

/** From this level of pino's on, a line tells of a failure. */
const errorLevel = 50;
const fatalLevel = 60;

type Fields = Readonly<Record<string, unknown>>;

/**
 * What a call of a logger tells of a failure: `log.error(error)`, `log.error({ err }, "text")`; `undefined` for a line that is none.
 *
 * @param bindings what the logger says in each of its lines; only asked for where a failure is told
 */
export function reportOfLine(values: readonly unknown[], level: number, bindings: () => Fields): FailureReport | undefined {
  if (level < errorLevel) return undefined;
  const [first, second] = values;
  const fields: Fields = isRecord(first) && !(first instanceof Error) ? first : {};
  const error = first instanceof Error ? first : (fields["err"] ?? fields["error"]);
  if (!isError(error)) return undefined;
  const bound = bindings();
  return {
    error,
    level: level >= fatalLevel ? "fatal" : "error",
    message: textOf(second),
    requestId: textOf(fields["req_id"] ?? bound["req_id"]),
    traceId: textOf(fields["trace_id"] ?? bound["trace_id"]),
    spanId: textOf(fields["span_id"] ?? bound["span_id"]),
    owner: textOf(fields["owner"] ?? bound["logger"]),
  };
}

/** Also one of another realm: the app's code may run in a context of its own. */
function isError(value: unknown): value is Error {
  return value instanceof Error || (isRecord(value) && typeof value["message"] === "string" && typeof value["stack"] === "string");
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function isRecord(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}
