import { describe, expect, it } from "vitest";
import { sentrySettings, tracingSettings } from "./settings.ts";

describe("what a section says of traces", () => {
  it("is nothing unless a collector is named", () => {
    expect(tracingSettings({ "tracing.sample": "50%" }, {}, "main")).toBeUndefined();
    expect(tracingSettings({}, { OTEL_EXPORTER_OTLP_ENDPOINT: "" }, "main")).toBeUndefined();
  });

  it("has defaults, and the variables that OpenTelemetry knows", () => {
    const settings = tracingSettings({}, { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318/", OTEL_SERVICE_NAME: "orders" }, "main");
    expect(settings).toEqual({ endpoint: "http://collector:4318", headers: {}, sample: 0.01, serviceName: "orders" });
  });

  it("prefers the file to the variables", () => {
    const raw = { "tracing.endpoint": "https://a.example/otlp///", "tracing.service_name": "mine", "tracing.sample": "100%" };
    const settings = tracingSettings(raw, { OTEL_EXPORTER_OTLP_ENDPOINT: "http://b", OTEL_SERVICE_NAME: "other" }, "main");
    expect(settings).toMatchObject({ endpoint: "https://a.example/otlp", serviceName: "mine", sample: 1 });
  });

  it.each([
    ["a=b", { a: "b" }],
    ["authorization=Bearer x=y==, x-team = blue ,", { authorization: "Bearer x=y==", "x-team": "blue" }],
  ])("reads headers %s", (text, headers) => {
    expect(tracingSettings({ "tracing.endpoint": "http://c", "tracing.headers": text }, {}, "main")?.headers).toEqual(headers);
  });

  it.each([
    [{ "tracing.endpoint": "collector:4318" }, {}, "tracing.endpoint"],
    [{ "tracing.endpoint": "http://collector:4318/?token=1" }, {}, "without a query"],
    [{ "tracing.endpoint": "http://collector:4318/#part" }, {}, "without a query"],
    [{}, { OTEL_EXPORTER_OTLP_ENDPOINT: "nonsense" }, "OTEL_EXPORTER_OTLP_ENDPOINT"],
    [{ "tracing.endpoint": "http://c", "tracing.headers": "no separator" }, {}, "tracing.headers"],
    [{ "tracing.endpoint": "http://c", "tracing.headers": "bad name=x" }, {}, "tracing.headers"],
    [{ "tracing.endpoint": "http://c", "tracing.sample": "101%" }, {}, "tracing.sample: expected a percentage"],
  ])("refuses %o", (raw, environment, place) => {
    expect(() => tracingSettings(raw as Record<string, string>, environment, "main")).toThrow(place);
  });
});

it.each([
  "http://",
  "ftp://collector",
  "grpc://collector:4317",
  "http://collector:99999",
  "http://col lector",
  "true",
  "4318",
  "/run/otel.sock",
])("%s is no URL of a collector", (endpoint) => {
  expect(() => tracingSettings({ "tracing.endpoint": endpoint }, {}, "main")).toThrow("tracing.endpoint: expected a URL");
});

describe("what a section says of reporting errors", () => {
  const dsn = "https://key@sentry.example/1";

  it("is nothing without a DSN, whatever else it says", () => {
    expect(sentrySettings({ "sentry.release": "1" }, { SENTRY_RELEASE: "2" })).toBeUndefined();
  });

  it.each([
    [{}, {}, { environment: "production", release: undefined, sample: 1 }],
    [{}, { NODE_ENV: "staging", SENTRY_RELEASE: "r1" }, { environment: "staging", release: "r1" }],
    [{}, { NODE_ENV: "staging", SENTRY_ENVIRONMENT: "eu" }, { environment: "eu" }],
    [
      { "sentry.environment": "mine", "sentry.release": "r2", "sentry.sample": "25%" },
      { SENTRY_ENVIRONMENT: "eu", SENTRY_RELEASE: "r1" },
      { environment: "mine", release: "r2", sample: 0.25 },
    ],
  ])("has defaults, variables, then the file: %o %o", (raw, environment, expected) => {
    expect(sentrySettings({ "sentry.dsn": dsn, ...raw }, environment)).toMatchObject({ dsn, ...expected });
  });

  it("refuses what is no DSN without repeating it", () => {
    expect(() => sentrySettings({ "sentry.dsn": "https://hidden-key@host" }, {})).toThrow(/sentry\.dsn/);
    expect(() => sentrySettings({ "sentry.dsn": "https://hidden-key@host" }, {})).not.toThrow(/hidden-key/);
  });
});
