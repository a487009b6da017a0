/** How much one message may take: what is declared beyond it is refused at once, before a byte of it is waited for. */
export interface WireLimits {
  /** The longest frame, its length prefix aside, and the longest unframed message, in bytes. A zlib payload may not inflate to more. */
  readonly maxFrameBytes: number;
  /** The longest string or binary, in bytes. */
  readonly maxStringBytes: number;
  /** The most elements in all containers of one message together: one byte on the wire may be hundreds in memory. */
  readonly maxContainerElements: number;
  /** How deep structs and containers may nest. */
  readonly maxDepth: number;
  /** The longest header part of a THeader frame, in bytes. */
  readonly maxHeaderBytes: number;
  /** The most headers of one request. */
  readonly maxHeaders: number;
}

/** 16,384,000 bytes and a depth of 64 are the defaults of Apache's libraries. */
export const defaultLimits: WireLimits = {
  maxFrameBytes: 16_384_000,
  maxStringBytes: 16_384_000,
  maxContainerElements: 1_000_000,
  maxDepth: 64,
  maxHeaderBytes: 65_536,
  maxHeaders: 128,
};
