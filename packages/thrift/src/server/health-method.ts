import { probeNumbers, type Health, type Probe } from "@tsserve/server";
import type { Reader, Writer } from "../codec/codec.ts";
import { messageTypes } from "../protocol/reading.ts";
import { wireTypes } from "../wire/types.ts";
import type { BoundMethod, MethodCall } from "./bound-method.ts";

export const healthMethodName = "is_healthy";

/**
 * `bool is_healthy()` and `bool is_healthy(1: IsHealthyRequest{1: optional IsHealthyProbe probe})` of baseplate's
 * services (baseplate.thrift, `BaseplateService` and `BaseplateServiceV2`), answered for an app that does not
 * do it itself. Without a probe, and for one that is not known, readiness is meant.
 */
export function healthMethod(health: Health): BoundMethod {
  return {
    name: healthMethodName,
    oneway: false,
    isProbe: true,
    call: (reader) => {
      const probe = probeOf(readProbe(reader));
      return health.answer(probe).then((status) => status === "ok");
    },
    writeResult: (writer: Writer, request: MethodCall, value: unknown) => {
      writer.writeMessageBegin(healthMethodName, messageTypes.reply, request.sequenceId);
      writer.writeStructBegin();
      writer.writeFieldBegin("success", wireTypes.bool, 0);
      writer.writeBool(value);
      writer.writeFieldStop();
      writer.writeStructEnd();
    },
    writeError: () => false,
  };
}

function probeOf(number: number | undefined): Probe {
  const probes = Object.keys(probeNumbers) as Probe[];
  return probes.find((probe) => probeNumbers[probe] === number) ?? "readiness";
}

/** The field 1 of the struct that is argument 1. */
function readProbe(reader: Reader): number | undefined {
  let probe: number | undefined;
  eachField(reader, wireTypes.struct, () => eachField(reader, wireTypes.i32, () => (probe = reader.readI32())));
  return probe;
}

/** Reads a struct whose field 1 matters if it has the type. */
function eachField(reader: Reader, type: number, read: () => void): void {
  reader.readStructBegin();
  for (;;) {
    const { ftype, fid } = reader.readFieldBegin();
    if (ftype === wireTypes.stop) break;
    if (fid === 1 && ftype === type) read();
    else reader.skip(ftype);
  }
  reader.readStructEnd();
}
