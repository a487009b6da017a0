/** The protocols that a message may be written in. */
export type ProtocolName = "binary" | "compact";

/** Type ids of the binary protocol, and of Apache's generated code (thrift.Type; doc/specs/thrift-binary-protocol.md). */
export const wireTypes = {
  stop: 0,
  bool: 2,
  i8: 3,
  double: 4,
  i16: 6,
  i32: 8,
  i64: 10,
  string: 11,
  struct: 12,
  map: 13,
  set: 14,
  list: 15,
  uuid: 16,
} as const;

/** Type ids of the compact protocol (doc/specs/thrift-compact-protocol.md). */
export const compactTypes = {
  stop: 0,
  true: 1,
  false: 2,
  i8: 3,
  i16: 4,
  i32: 5,
  i64: 6,
  double: 7,
  string: 8,
  list: 9,
  set: 10,
  map: 11,
  struct: 12,
  uuid: 13,
} as const;
