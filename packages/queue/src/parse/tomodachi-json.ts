import { randomUUID } from "node:crypto";
import { inflate } from "../envelope.ts";
import type { Parse } from "../message.ts";

const protocol = "tomodachi-json-base";

interface Envelope {
  readonly metadata: { readonly protocol_version: string; readonly data_encoding: string };
  readonly data: unknown;
}

/**
 * The `data` of a message in tomodachi's envelope `json_base`, compressed or not
 * (github.com/kalaspuff/tomodachi, tomodachi/envelope/json_base.py).
 */
// oxlint-disable-next-line typescript/no-explicit-any -- the caller names its type, as with JSON.parse
export const tomodachiJson: Parse<any> = ({ bytes }) => {
  const envelope: unknown = JSON.parse(bytes.toString());
  if (!isEnvelope(envelope)) throw new SyntaxError("expected an envelope of tomodachi (json_base): { service, metadata, data }");
  const { metadata, data } = envelope;
  if (!metadata.protocol_version.startsWith(protocol))
    throw new SyntaxError(`expected the protocol ${protocol}, found ${JSON.stringify(metadata.protocol_version).slice(0, 60)}`);
  if (metadata.data_encoding === "raw") return data;
  if (metadata.data_encoding === "base64_gzip_json" && typeof data === "string")
    return JSON.parse(inflate(Buffer.from(data, "base64")).toString()) as unknown;
  throw new SyntaxError(`expected the data encoding raw or base64_gzip_json, found ${JSON.stringify(metadata.data_encoding).slice(0, 60)}`);
};

/**
 * Data in the envelope that `tomodachiJson` reads, to be published to services that still use tomodachi.
 *
 * @param topic what it is published to: the routing key, or the topic
 * @param service who publishes it
 */
export function tomodachiEnvelope(data: unknown, topic: string, service: string): object {
  return {
    service: { name: service, uuid: randomUUID() },
    metadata: {
      message_uuid: `${randomUUID()}.${randomUUID()}`,
      protocol_version: `${protocol}--1.0.0`,
      compatible_protocol_versions: [`${protocol}--1.0.0`],
      timestamp: Date.now() / 1000,
      topic,
      data_encoding: "raw",
    },
    data,
  };
}

function isEnvelope(value: unknown): value is Envelope {
  if (typeof value !== "object" || value === null || !("data" in value) || !("metadata" in value)) return false;
  const { metadata } = value;
  return (
    typeof metadata === "object" &&
    metadata !== null &&
    "protocol_version" in metadata &&
    typeof metadata.protocol_version === "string" &&
    "data_encoding" in metadata &&
    typeof metadata.data_encoding === "string"
  );
}
