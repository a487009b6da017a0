import { importLibrary } from "../import-library.ts";
import { loadPeer } from "../load-peer.ts";

export type SqsLibrary = typeof import("@aws-sdk/client-sqs");
export type SnsLibrary = typeof import("@aws-sdk/client-sns");

/** Loads AWS's SDK for SQS: an optional peer, which only a process that speaks with SQS needs. @throws {BrokerError} `library` */
export function loadSqs(neededBy: string): Promise<SqsLibrary> {
  return loadPeer("@aws-sdk/client-sqs", () => importLibrary("@aws-sdk/client-sqs") as Promise<SqsLibrary>, neededBy);
}

/** As `loadSqs`, for SNS. @throws {BrokerError} `library` */
export function loadSns(neededBy: string): Promise<SnsLibrary> {
  return loadPeer("@aws-sdk/client-sns", () => importLibrary("@aws-sdk/client-sns") as Promise<SnsLibrary>, neededBy);
}
