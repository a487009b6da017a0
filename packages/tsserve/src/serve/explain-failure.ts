import { ConfigurationError } from "@tsserve/config";
import { ListenError } from "@tsserve/listener";
import type { LifecycleEvent } from "@tsserve/server";
import { FactoryError, stackOf } from "../factory-error.ts";

/** Why a start failed, for the person who has to mend it. */
export function explainFailure({ step, error }: Extract<LifecycleEvent, { type: "step-failed" }>): string {
  const isReadable = error instanceof FactoryError || error instanceof ListenError || error instanceof ConfigurationError;
  return isReadable ? error.message : `tsserve: starting ${step} failed:\n${stackOf(error)}`;
}
