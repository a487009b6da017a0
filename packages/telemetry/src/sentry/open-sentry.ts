import { asError } from "@tsserve/config";
import type { FailureReport } from "@tsserve/server";
import type { Logger } from "pino";
import type { SentrySettings } from "../settings.ts";
import { FailureBudget } from "./failure-budget.ts";
import { loadSentry, type SentryClientLike, type SentryLike, type SentryResponse } from "./load-sentry.ts";

/** Where failures are reported until it is closed. */
export interface OpenSentry {
  report(failure: FailureReport): void;
  /** Sends what has not been sent. Who calls it bounds how long that is waited for. */
  close(): Promise<void>;
}

export interface SentryParts {
  readonly settings: SentrySettings;
  /** The folder of the INI file: the app's packages are found from here. */
  readonly folder: string;
  readonly log: Logger;
  /** What every event says of this process: `server`, `worker`, `generation`. */
  readonly tags: Readonly<Record<string, string>>;
  /** Hides the secrets of the configuration in a text. */
  readonly mask: (text: string) => string;
  /** The route of a request in progress, by its id. */
  readonly routeOf: (requestId: string) => string | undefined;
  /** In milliseconds. */
  readonly now: () => number;
}

/**
 * Begins to report failures. To be called before the app is loaded, so that its own calls of Sentry find the client; a client
 * that the app makes itself, before or later, is used instead, and is the app's to end.
 *
 * Sentry's default integrations stay out: they would listen to errors that nobody caught beside the server, which ends the process
 * itself, and send the lines of source round each frame of a stack.
 *
 * @throws {ConfigurationError} when `@sentry/node` is not installed
 */
export function openSentry({ settings, folder, log, tags, mask, routeOf, now }: SentryParts): OpenSentry {
  const sentry = loadSentry(folder);
  const budget = new FailureBudget(now);
  const own = sentry.getClient() === undefined ? makeClient(sentry, settings, mask) : undefined;
  if (own === undefined) log.debug("the app has a Sentry client of its own: errors go there");
  else tellRefusals(own, log);
  return {
    report: ({ error, level, message, requestId, traceId, spanId, owner }) => {
      const held = budget.spend(error);
      if (held === undefined) return;
      const route = requestId === undefined ? undefined : routeOf(requestId);
      const known = { ...tags, route, trace_id: traceId, req_id: requestId, owner };
      sentry.captureException(error, {
        level,
        tags: Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined)),
        extra: { ...(message === undefined ? {} : { message }), ...(held === 0 ? {} : { held_back: held }) },
        ...(traceId === undefined || spanId === undefined ? {} : { contexts: { trace: { trace_id: traceId, span_id: spanId } } }),
      });
    },
    close: async () => {
      if (budget.held > 0)
        log.warn({ held_back: budget.held }, `${budget.held} errors were not reported: more than ten of a kind in a minute`);
      const client = sentry.getClient() ?? own;
      await (client === own ? client?.close() : client?.flush());
    },
  };
}

function makeClient(sentry: SentryLike, settings: SentrySettings, mask: (text: string) => string): SentryClientLike | undefined {
  return sentry.init({
    dsn: settings.dsn,
    environment: settings.environment,
    release: settings.release,
    sampleRate: settings.sample,
    defaultIntegrations: false,
    // The errors that lie below one, as its `cause`.
    integrations: sentry.linkedErrorsIntegration === undefined ? [] : [sentry.linkedErrorsIntegration()],
    skipOpenTelemetrySetup: true,
    registerEsmLoaderHooks: false,
    sendDefaultPii: false,
    sendClientReports: false,
    maxBreadcrumbs: 0,
    beforeSend: (event: object) => masked(event, mask),
  });
}

const deepest = 20;

/** An event without the secrets in its texts: a message often holds what it failed with. */
export function masked(value: unknown, mask: (text: string) => string, depth = 0): unknown {
  if (typeof value === "string") return mask(value);
  if (typeof value !== "object" || value === null || depth > deepest) return value;
  if (Array.isArray(value)) return value.map((each) => masked(each, mask, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, masked(each, mask, depth + 1)]));
}

/** Says once that reports do not arrive, and again when they have in between. */
function tellRefusals(client: SentryClientLike, log: Logger): void {
  let isTold = false;
  client.on?.("afterSendEvent", (_event, response) => {
    const reason = refusalOf(response);
    if (reason !== undefined && !isTold) log.warn({ reason }, `an error could not be reported to Sentry: ${reason}`);
    isTold = reason !== undefined;
  });
}

export function refusalOf(response: SentryResponse | undefined): string | undefined {
  const { statusCode, reason } = response ?? {};
  if (statusCode !== undefined && statusCode < 400) return undefined;
  if (statusCode !== undefined) return `it answered with ${statusCode}`;
  return reason === undefined ? "no answer" : asError(reason).message;
}
