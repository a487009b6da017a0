import { loadService } from "tsserve/thrift";

export const makeApp = () => ({
  service: loadService("../../test/fixtures/thrift/bench.thrift", "Bench"),
  handler: { ping: () => {}, echo: async (payload) => payload, fail: () => "", add_later: (a, b) => a + b, note: () => {} },
});
