import { createHash } from "node:crypto";
import { serialize } from "node:v8";
import type { Delivery } from "./delivery.ts";

/**
 * Knows a message without an id again, by all that a handler can see of it: two with the same key are the same to every handler.
 * How often it has come back, and by way of which queues, is no part of that.
 */
export function contentKey({ bytes, routingKey, topic, contentType, sentAt, failures, distinction }: Delivery): string {
  const seen = [routingKey, topic, contentType, sentAt?.getTime(), failures];
  return createHash("sha256").update(serialize(seen)).update(serialized(distinction)).update(bytes).digest("base64");
}

/** Headers that are nested so deep that they can't be told apart are not. */
function serialized(distinction: unknown): Buffer {
  try {
    return serialize(distinction);
  } catch {
    return Buffer.alloc(0);
  }
}
