import type { DeploymentPlan } from "@tsserve/deploy";
import { expect, test } from "vitest";
import { warnOfOtherPlaces } from "./warn-of-other-places.ts";

test.each([
  [{ port: 9090 }, ""],
  [{ port: 9090, otherPlaces: [] }, ""],
  [{ port: 9090, otherPlaces: [":9443"] }, "listen at port 9090, which is all that is written here, and at :9443: add that by hand"],
  [
    { port: 80, otherPlaces: ["[::]:443", "/run/a.sock"] },
    "listen at port 80, which is all that is written here, and at [::]:443, /run/a.sock: add those by hand",
  ],
  [
    { port: 9090, unixSocket: "/run/a.sock", otherPlaces: ["/run/b.sock"] },
    "listen at /run/a.sock, which is all that is written here, and at /run/b.sock: add that by hand",
  ],
] as const)("%j: %j", (plan, expected) => {
  let told = "";
  warnOfOtherPlaces({ printError: (text) => (told += text) }, plan as unknown as DeploymentPlan);
  expect(told).toBe(expected === "" ? "" : `tsserve: the file has the server ${expected}`);
});
