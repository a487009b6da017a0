import { loadPeer } from "../load-peer.ts";

export type SqsLibrary = typeof import("@aws-sdk/client-sqs");
export type SnsLibrary = typeof import("@aws-sdk/client-sns");

/**
 * Loads AWS's SDK for SQS: an optional peer, which only a process that speaks with SQS needs.
 *
 * @param folder of the INI file
 * @throws {BrokerError} `library`
 */
export function loadSqs(neededBy: string, folder: string): SqsLibrary {
  return loadPeer("@aws-sdk/client-sqs", folder, neededBy) as SqsLibrary;
}

/** As `loadSqs`, for SNS. @throws {BrokerError} `library` */
export function loadSns(neededBy: string, folder: string): SnsLibrary {
  return loadPeer("@aws-sdk/client-sns", folder, neededBy) as SnsLibrary;
}
