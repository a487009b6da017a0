import { ConfigurationError } from "@tsserve/config";
import { requirePeer } from "@tsserve/server";

/** What is used of `@sentry/node`, the same from 8 to 11. */
export interface SentryLike {
  getClient(): SentryClientLike | undefined;
  init(options: Readonly<Record<string, unknown>>): SentryClientLike | undefined;
  captureException(error: unknown, hint: Readonly<Record<string, unknown>>): string;
  linkedErrorsIntegration?(): unknown;
}

export interface SentryClientLike {
  close(): PromiseLike<boolean>;
  flush(): PromiseLike<boolean>;
  on?(event: "afterSendEvent", listener: (event: unknown, response: SentryResponse | undefined) => void): unknown;
}

export interface SentryResponse {
  readonly statusCode?: number | undefined;
  readonly reason?: unknown;
}

const name = "@sentry/node";

/**
 * The app's own copy where it has one, so that what the app calls and what the server calls speak to one client.
 *
 * @param folder of the INI file
 * @throws {ConfigurationError} when it is not installed
 */
export function loadSentry(folder: string): SentryLike {
  const sentry = requirePeer(name, [folder, import.meta.url]);
  if (sentry !== undefined) return sentry as SentryLike;
  const message = `needs a package that is not installed: npm install ${name}`;
  throw new ConfigurationError([{ key: "sentry.dsn", message, value: undefined }]);
}
