import { createRequire } from "node:module";

const service = createRequire(import.meta.url)("../../test/fixtures/thrift/gen-nodejs/Bench.js");

export const makeApp = () => ({
  service,
  handler: { ping: () => {}, echo: async (payload) => payload, fail: () => "", add_later: (a, b) => a + b, note: () => {} },
});
