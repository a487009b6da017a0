import { describe, expect, test } from "vitest";
import { exclusion, isExcluded } from "./exclusion.ts";
import type { HttpRequest } from "./http-request.ts";

const request = (url: string, status?: number, isProbe = false): HttpRequest => ({ url, status, isProbe }) as HttpRequest;

describe("paths", () => {
  const globs: readonly (readonly [glob: string, matching: readonly string[], others: readonly string[]])[] = [
    ["/health", ["/health"], ["/health/", "/healthz", "/a/health", "/", "/HEALTH"]],
    ["/static/**", ["/static/", "/static/a", "/static/a/b.css", "/static/a\nb"], ["/static", "/statics/a", "/a/static/b"]],
    ["/static/*", ["/static/", "/static/a"], ["/static/a/b", "/static"]],
    ["/*/health", ["/a/health", "//health"], ["/health", "/a/b/health"]],
    ["/**/health", ["/a/health", "/a/b/health", "//health"], ["/health"]],
    ["/a*c", ["/ac", "/abc", "/a.c"], ["/a/c", "/abcd"]],
    ["/***", ["/", "/a/b"], []],
    ["/", ["/"], ["/a", ""]],
    ["/a.b", ["/a.b"], ["/axb"]],
    ["/a+(b)[c]{d}|^$?\\", ["/a+(b)[c]{d}|^$?\\"], ["/aa(b)", "/a"]],
  ];

  test.each(globs)("%s", (glob, matching, others) => {
    const { matches, isProbes } = exclusion(glob);
    expect(isProbes).toBe(false);
    expect(matching.filter((path) => !matches(path, 200))).toEqual([]);
    expect(others.filter((path) => matches(path, 200))).toEqual([]);
  });

  test("many stars take no longer than the path is long", () => {
    const { matches } = exclusion("/*a*a*a*a*");
    expect(matches(`/${"b".repeat(5000)}`, 200)).toBe(false);
  });
});

test.each([1, 2, 3, 4, 5])("%dxx, in either case, is a class of statuses", (hundred) => {
  for (const text of [`${hundred}xx`, `${hundred}XX`]) {
    const { matches } = exclusion(text);
    for (const status of [100, 101, 200, 299, 304, 404, 499, 500, 599])
      expect([status, matches("/", status)]).toEqual([status, Math.floor(status / 100) === hundred]);
    expect(matches("/", undefined)).toBe(false);
  }
});

test.each(["0xx", "6xx", "2x", "200", "2xxx", "health", "", "probe", "Probes", "*"])(
  "%j is none, and the sentence says what is",
  (text) => {
    expect(() => exclusion(text)).toThrow(`expected paths such as /static/**, classes of statuses such as 3xx, or probes; found "${text}"`);
  },
);

describe("a request", () => {
  const all = ["probes", "/static/**", "3xx"].map((text) => exclusion(text));

  test.each([
    [request("/", 200), false],
    [request("/", 200, true), true],
    [request("/static/a?b=c", 200), true],
    [request("/?to=/static/a", 200), false],
    [request("/", 304), true],
    [request("/"), false],
    [request("/static/a"), true],
  ])("%j is left out by any of them: %s", (each, expected) => {
    expect(isExcluded(each, all)).toBe(expected);
  });

  test("is left out by none where there are none", () => {
    expect(isExcluded(request("/static/a", 304, true), [])).toBe(false);
  });

  test("that is a probe is left out by no path of its own name alone", () => {
    expect(isExcluded(request("/health", 200, true), [exclusion("/static/**")])).toBe(false);
  });
});
