import { expect, test } from "vitest";
import { isDiskFault } from "./disk-fault.ts";

test.each([
  ["ENOSPC", false, true],
  ["ENOSPC", true, true],
  ["EDQUOT", false, true],
  ["EIO", true, true],
  ["EROFS", true, true],
  // Nobody has ever written there.
  ["EROFS", false, false],
  ["ENOENT", false, false],
  ["EACCES", true, false],
  ["EISDIR", true, false],
  ["EMFILE", true, false],
  [undefined, true, false],
])("%s, where the file is there: %s, is the disk's fault: %s", (code, isThere, is) => {
  expect(isDiskFault(Object.assign(new Error("no"), code === undefined ? {} : { code }), isThere)).toBe(is);
});
