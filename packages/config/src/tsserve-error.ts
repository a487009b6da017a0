/** What the exit code of the process is when such an error ends its start. */
export type ErrorExit = 2 | 3;

/** One of a closed set. */
export type ErrorCode =
  | "ERR_TSSERVE_USAGE"
  | "ERR_TSSERVE_CONFIGURATION"
  | "ERR_TSSERVE_REFERENCE"
  | "ERR_TSSERVE_MODULE_NOT_FOUND"
  | "ERR_TSSERVE_MODULE_THREW"
  | "ERR_TSSERVE_NOT_EXPORTED"
  | "ERR_TSSERVE_NOT_A_FUNCTION"
  | "ERR_TSSERVE_FACTORY_THREW"
  | "ERR_TSSERVE_APP_KIND"
  | "ERR_TSSERVE_SERVER_KIND"
  | "ERR_TSSERVE_LISTEN"
  | "ERR_TSSERVE_START"
  | "ERR_TSSERVE_IDL"
  | "ERR_TSSERVE_BROKER";

/**
 * Everything that somebody who uses tsserve can get wrong, by the code that the error has. Closed: `docs/errors.md` lists the
 * same codes, and a test holds the two together.
 */
export const errorCodes: Readonly<Record<ErrorCode, ErrorExit>> = {
  /** The command line, or a file or variable that it names. */
  ERR_TSSERVE_USAGE: 2,
  /** The INI file; `problems` of the error lists what. */
  ERR_TSSERVE_CONFIGURATION: 2,
  /** A `MODULE[:NAME]` that is written wrongly. */
  ERR_TSSERVE_REFERENCE: 3,
  /** No such file or package. */
  ERR_TSSERVE_MODULE_NOT_FOUND: 3,
  /** The module's own error, while it was loaded. */
  ERR_TSSERVE_MODULE_THREW: 3,
  /** The module has no such export. */
  ERR_TSSERVE_NOT_EXPORTED: 3,
  /** What was to be called is no function. */
  ERR_TSSERVE_NOT_A_FUNCTION: 3,
  /** The factory's own error. */
  ERR_TSSERVE_FACTORY_THREW: 3,
  /** The factory gave something that the server can't serve. */
  ERR_TSSERVE_APP_KIND: 3,
  /** A server factory gave something that is no server. */
  ERR_TSSERVE_SERVER_KIND: 3,
  /** Connections can't arrive there. */
  ERR_TSSERVE_LISTEN: 3,
  /** A step of the start failed: the server's own `start`, for one. */
  ERR_TSSERVE_START: 3,
  /** A .thrift file can't be read. */
  ERR_TSSERVE_IDL: 2,
  /** A message broker does not let us in, or has not what is asked of it; or its library is missing. */
  ERR_TSSERVE_BROKER: 3,
};

/** The mark by which errors of another copy of this package are known, where `instanceof` would not see them. */
const mark = Symbol.for("tsserve.error");

/**
 * What a user of tsserve can get wrong, as one class. The message is for the person who has to mend it, and needs no stack;
 * `cause` is the error that lies below, where there is one.
 */
export class TsserveError extends Error {
  override readonly name: string = "TsserveError";
  readonly code: ErrorCode;
  /** The system's own code, such as `EADDRINUSE`, where the system refused something. */
  readonly systemCode: string | undefined;

  constructor(code: ErrorCode, message: string, { cause, systemCode }: { cause?: unknown; systemCode?: string | undefined } = {}) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
    this.systemCode = systemCode;
    Object.defineProperty(this, mark, { value: true });
  }
}

/** Whether it is one of ours, whichever copy of the package made it; with a code, whether it is that one. */
export function isTsserveError(thrown: unknown, code?: ErrorCode): thrown is TsserveError {
  try {
    if (typeof thrown !== "object" || thrown === null || (thrown as { [mark]?: unknown })[mark] !== true) return false;
    const own = (thrown as TsserveError).code;
    return Object.hasOwn(errorCodes, own) && (code === undefined || code === own);
  } catch {
    // A getter or a proxy of a stranger's that throws: none of ours does.
    return false;
  }
}

/** With which code a process ends whose start such an error ended: 2 where the file or the command line is wrong, else 3. */
export function exitCodeOf(error: TsserveError): ErrorExit {
  return errorCodes[error.code];
}
