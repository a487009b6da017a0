import { describe, expect, it } from "vitest";
import { sentryDsn } from "./sentry-settings.ts";

describe("a DSN", () => {
  it.each(["https://abc@o1.ingest.sentry.io/42", "http://pub@127.0.0.1:9000/1", "https://a:b@sentry.example/prefix/7"])(
    "may be %s",
    (text) => {
      expect(sentryDsn(text)).toBe(text);
    },
  );

  it.each(["", "true", "https://sentry.example/1", "https://abc@sentry.example", "https://abc@sentry.example/project", "ftp://abc@host/1"])(
    "is not %s",
    (text) => {
      expect(() => sentryDsn(text)).toThrow("expected a DSN");
    },
  );
});
