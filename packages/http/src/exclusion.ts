import type { Parser } from "@tsserve/config";
import type { HttpRequest } from "./http-request.ts";

/** Tells whether a request, with its path and the status of its answer, has no line in the access log. */
export interface Exclusion {
  readonly isProbes: boolean;
  matches(path: string, status: number | undefined): boolean;
}

/** An item of `access_log.exclude`: a path with `*` and `**`, a class of statuses such as `3xx`, or `probes`. */
export const exclusion: Parser<Exclusion> = (text) => {
  if (text === "probes") return { isProbes: true, matches: () => false };
  const statuses = /^([1-5])xx$/i.exec(text)?.[1];
  if (statuses !== undefined)
    return { isProbes: false, matches: (_path, status) => status !== undefined && String(status).startsWith(statuses) };
  if (!text.startsWith("/"))
    throw new Error(`expected paths such as /static/**, classes of statuses such as 3xx, or probes; found "${text}"`);
  const pattern = globPattern(text);
  return { isProbes: false, matches: (path) => pattern.test(path) };
};

function globPattern(glob: string): RegExp {
  const parts = glob.split(/(\*+)/).map((part) => {
    if (part.startsWith("**")) return ".*";
    return part === "*" ? "[^/]*" : part.replace(/[\\^$.|?+()[\]{}]/g, "\\$&");
  });
  return new RegExp(`^${parts.join("")}$`, "s");
}

/** Whether one of them names the request. */
export function isExcluded(request: HttpRequest, exclusions: readonly Exclusion[]): boolean {
  if (exclusions.length === 0) return false;
  const path = request.url.split("?", 1)[0] ?? "";
  return exclusions.some((each) => (each.isProbes ? request.isProbe : each.matches(path, request.status)));
}
