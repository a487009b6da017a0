import { test } from "vitest";
import { upgradeUnderLoad } from "./support/upgrade-under-load.ts";

test("ten upgrades in a row lose nothing: new connections and kept ones, 16 kB bodies, slow readers, streams", async () => {
  await upgradeUnderLoad(10);
});
