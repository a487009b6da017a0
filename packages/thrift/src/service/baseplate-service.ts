import { loadIdl } from "../idl/load-idl.ts";
import type { Service } from "../idl/model.ts";
import { makeService, type LoadedService } from "./load-service.ts";

/** What a health check calls (baseplate.thrift of baseplate; V1 and V2 understand each other). */
const text = `
enum IsHealthyProbe { READINESS = 1, LIVENESS = 2, STARTUP = 3 }
struct IsHealthyRequest { 1: optional IsHealthyProbe probe }
service BaseplateServiceV2 { bool is_healthy(1: IsHealthyRequest request) }
`;

/** The service that every Thrift server of tsserve, and of baseplate, answers for. */
export function baseplateService(): LoadedService {
  const idl = loadIdl("baseplate.thrift", { locate: (path) => path, read: () => text });
  return makeService(idl, idl.services.get("BaseplateServiceV2") as Service);
}
