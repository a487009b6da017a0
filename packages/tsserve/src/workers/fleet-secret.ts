import { randomBytes } from "node:crypto";
import type { Host } from "../host.ts";

/** Where a worker finds it, for the first instants of its life. */
export const fleetSecretVariable = "TSSERVE_FLEET_SECRET";

const secretBytes = 64;

/** Made once by a master, for all of its workers and generations: what they encrypt for clients, any of them can read again. */
export function makeFleetSecret(): string {
  return randomBytes(secretBytes).toString("base64");
}

/** Takes it out of the environment, so that neither the app nor what it starts sees it. */
export function takeFleetSecret({ env }: Pick<Host, "env">): Buffer | undefined {
  const text = env[fleetSecretVariable];
  delete env[fleetSecretVariable];
  const secret = Buffer.from(text ?? "", "base64");
  return secret.length === secretBytes ? secret : undefined;
}
