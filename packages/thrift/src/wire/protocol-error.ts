/** What came is not Thrift, or passes a limit; the message says what was expected. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}
