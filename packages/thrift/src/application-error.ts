/** The types of `TApplicationException` (lib/cpp/src/thrift/TApplicationException.h of Apache Thrift). */
export const applicationErrors = {
  unknown: 0,
  unknownMethod: 1,
  invalidMessageType: 2,
  wrongMethodName: 3,
  badSequenceId: 4,
  missingResult: 5,
  internalError: 6,
  protocolError: 7,
  invalidTransform: 8,
  invalidProtocol: 9,
  unsupportedClientType: 10,
} as const;

/** What a server says when it can't give a result: Thrift's own `TApplicationException`. */
export class ApplicationError extends Error {
  override readonly name = "TApplicationException";
  readonly type: number;

  constructor(type: number, message: string) {
    super(message);
    this.type = type;
  }
}
