import { fileURLToPath } from "node:url";

const frame = /^\s+at (?:.* \()?((?:file:|\/|[A-Za-z]:\\).*?):(\d+)(?::\d+)?\)?$/;
/** This project's own packages, in a checkout or installed. */
const ours = /\/(?:@tsserve\/[^/]+|tsserve|packages\/(?:tsserve|server|http))\/(?:dist|src|bin|bundle)\//;

/** File and line of the first frame of a stack that is neither ours nor Node's, such as `/srv/app.js:12`. */
export function placeOfCaller(stack: string | undefined): string {
  for (const line of (stack ?? "").split("\n")) {
    const [, file, number] = frame.exec(line) ?? [];
    if (file === undefined || ours.test(file)) continue;
    return `${file.startsWith("file:") ? fileURLToPath(file) : file}:${number}`;
  }
  return "a place that can't be told";
}
