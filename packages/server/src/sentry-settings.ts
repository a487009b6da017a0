import { optionalSetting, percent, secret, setting, string, type Parser, type Reader } from "@tsserve/config";

export type SentrySpec = {
  readonly dsn: Reader<string | undefined>;
  readonly environment: Reader<string | undefined>;
  readonly release: Reader<string | undefined>;
  readonly sample: Reader<number>;
};

/** `https://KEY@HOST/PROJECT`, as Sentry shows it among a project's settings. */
export const sentryDsn: Parser<string> = (text) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isDsn = url !== undefined && /^https?:$/.test(url.protocol) && url.username !== "" && /\/\d+$/.test(url.pathname);
  if (!isDsn) throw new Error("expected a DSN such as https://KEY@HOST/PROJECT");
  return text;
};

/** The keys below `sentry`, in `[server:…]` or `[app:…]`. */
export const sentrySpec: SentrySpec = {
  dsn: secret(
    optionalSetting(
      sentryDsn,
      "Where errors are reported to, as Sentry's DSN; without it, none are. Needs `npm install @sentry/node`. The keys of `sentry` may stand in `[app:…]`, too. Secret.",
    ),
  ),
  environment: optionalSetting(
    string,
    "What the deployment is called in Sentry. Default: `SENTRY_ENVIRONMENT`, else `NODE_ENV`, else `production`.",
  ),
  release: optionalSetting(
    string,
    "Which release errors belong to. Default: `SENTRY_RELEASE`, else name and version of the package.json that is nearest above this file.",
  ),
  sample: setting(percent, "100%", "The part of errors that is reported. At most ten of a kind are in a minute."),
};
