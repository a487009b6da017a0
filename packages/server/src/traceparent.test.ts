import { expect, test } from "vitest";
import { readTraceparent } from "./traceparent.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const parentId = "b7ad6b7169203331";

test.each([
  ["recorded", `00-${traceId}-${parentId}-01`, true],
  ["not recorded", `00-${traceId}-${parentId}-00`, false],
  ["with flags of later versions", `00-${traceId}-${parentId}-03`, true],
  ["with other flags only", `00-${traceId}-${parentId}-02`, false],
  ["of a later version, with more parts", `cc-${traceId}-${parentId}-01-what-ever`, true],
])("%s", (_what, text, sampled) => {
  expect(readTraceparent(text)).toEqual({ traceId, parentId, sampled });
});

test.each([
  "",
  "00",
  "nonsense",
  `00-${traceId}-${parentId}`,
  `00-${traceId}-${parentId}-`,
  `00-${traceId}-${parentId}-1`,
  `00-${traceId}-${parentId}-0g`,
  `ff-${traceId}-${parentId}-01`,
  `0-${traceId}-${parentId}-01`,
  `00-${"0".repeat(32)}-${parentId}-01`,
  `00-${traceId}-${"0".repeat(16)}-01`,
  `00-${traceId.toUpperCase()}-${parentId}-01`,
  `00-${traceId.slice(1)}-${parentId}-01`,
  `00-${traceId}-${parentId}0-01`,
  `00-${traceId}-${parentId}-01more`,
  ` 00-${traceId}-${parentId}-01`,
  `00_${traceId}_${parentId}_01`,
])("%j is none", (text) => {
  expect(readTraceparent(text)).toBeUndefined();
});
