/** For the tests of an app. `@tsserve/testing` has what starts the real command. */
export { testConsumers } from "@tsserve/queue/testing";
export type { Fate, TestConsumers, TestConsumersOptions, TestMessage } from "@tsserve/queue/testing";
