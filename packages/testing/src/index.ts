/**
 * Tests for tsserve apps and server factories: the real command in a process of its own, a load that
 * counts what became of each request, and a suite that every server factory must pass.
 */
export { bindDescriptor, workerEnvironment } from "./bound-descriptor.ts";
export { brokerComplianceTests } from "./broker-compliance.ts";
export { complianceTests } from "./compliance.ts";
export { freePort } from "./free-port.ts";
export { load, lost } from "./load.ts";
export { openRaw } from "./raw-connection.ts";
export { spawnTsserve } from "./spawn-tsserve.ts";
export { makeTemporaryFolder } from "./temporary-folder.ts";
export { until } from "./until.ts";

export type { BoundDescriptor } from "./bound-descriptor.ts";
export type { BrokerSubject } from "./broker-compliance.ts";
export type { ComplianceSubject, ComplianceTest } from "./compliance.ts";
export type { LoadOptions, LoadResult } from "./load.ts";
export type { RawConnection } from "./raw-connection.ts";
export type { Exit, LogLine, SpawnOptions, TsserveProcess } from "./spawn-tsserve.ts";
export type { TemporaryFolder } from "./temporary-folder.ts";
