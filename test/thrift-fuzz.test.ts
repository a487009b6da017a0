import { test } from "vitest";
import { fuzzThrift } from "./support/fuzz-thrift.ts";

const seconds = 5;

test(`whatever comes, the server lives, answers others, and does not grow (${seconds} s)`, () => fuzzThrift(seconds));
