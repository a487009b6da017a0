import type { PublishError } from "../publish-error.ts";

export interface SqsPublishOptions {
  /** Message attributes, texts; AWS takes ten, of which the trace takes one. */
  readonly headers?: Readonly<Record<string, string>>;
  /** At most 15 minutes. */
  readonly delaySeconds?: number;
  /** Of a FIFO queue. */
  readonly groupId?: string;
  /** Of a FIFO queue; default a new one, so that nothing is taken for a duplicate. */
  readonly deduplicationId?: string;
}

export type SnsPublishOptions = Omit<SqsPublishOptions, "delaySeconds">;

export interface SqsSendEntry extends SqsPublishOptions {
  readonly data: unknown;
}

/** What became of one message of many. */
export type SqsSendResult = { readonly ok: true } | { readonly ok: false; readonly error: PublishError };
