import { test } from "vitest";
import { fuzzThrift } from "./support/fuzz-thrift.ts";

/** For how long: hours by hand (`TSSERVE_FUZZ_SECONDS=3600`). */
const seconds = Number(process.env["TSSERVE_FUZZ_SECONDS"] ?? 60);
const firstSeed = Number(process.env["TSSERVE_FUZZ_SEED"] ?? 1);

const longestMs = 7_200_000;
test(
  `whatever comes, the server lives, answers others, and does not grow (${seconds} s from seed ${firstSeed})`,
  () => fuzzThrift(seconds, firstSeed),
  longestMs,
);
