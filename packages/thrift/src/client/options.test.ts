import { expect, test } from "vitest";
import { clientSettings, type ClientOptions } from "./options.ts";

test("has defaults for all but the endpoint", () => {
  expect(clientSettings({ endpoint: "localhost:9090" })).toMatchObject({
    wrapping: "header",
    protocol: "compact",
    size: 10,
    maxPipelined: 1,
    timeoutMs: 1000,
    maxAgeMs: 60_000,
    maxConnectionAttempts: 3,
    name: "localhost:9090",
  });
});

test.each(["framed", "unframed", "header"].flatMap((wrapping) => ["binary", "compact"].map((protocol) => [wrapping, protocol] as const)))(
  "%s %s",
  (wrapping, protocol) =>
    expect(clientSettings({ endpoint: "/run/app.sock", form: `${wrapping} ${protocol}` as "framed binary" })).toMatchObject({
      wrapping,
      protocol,
      name: "/run/app.sock",
    }),
);

test.each<[Partial<ClientOptions>, string]>([
  [{ form: "framed" as never }, "form: expected framed, unframed or header"],
  [{ form: "framed json" as never }, "form: expected framed, unframed or header"],
  [{ size: 0 }, "size: expected a number above 0, found 0"],
  [{ size: Number.NaN }, "size: expected a number above 0, found NaN"],
  [{ maxPipelined: -1 }, "maxPipelined: expected a number above 0, found -1"],
  [{ timeoutMs: "5" as never }, "timeoutMs: expected a number above 0, found 5"],
  [{ maxAgeMs: 0 }, "maxAgeMs: expected a number above 0, found 0"],
  [{ endpoint: "localhost" }, "expected an endpoint"],
])("%j is refused", (options, says) => expect(() => clientSettings({ endpoint: "localhost:9090", ...options })).toThrow(says));
