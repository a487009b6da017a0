import { readField } from "@tsserve/config";
import { ApplicationError } from "../application-error.ts";

/** What became of a request, as logs and metrics tell it. */
export interface Outcome {
  readonly success: boolean;
  /** The name of the exception's class; empty on success. */
  readonly exceptionType: string;
  /** Of baseplate's `Error`: the name of its code, such as `NOT_FOUND`. */
  readonly status: string;
  /** Of baseplate's `Error`: its code. */
  readonly statusCode: string;
}

export const succeeded: Outcome = { success: true, exceptionType: "", status: "", statusCode: "" };

/** Baseplate's `ErrorCode` (baseplate.thrift). */
const statusNames: Readonly<Record<number, string>> = {
  400: "BAD_REQUEST",
  401: "UNAUTHORIZED",
  402: "PAYMENT_REQUIRED",
  403: "FORBIDDEN",
  404: "NOT_FOUND",
  409: "CONFLICT",
  410: "GONE",
  412: "PRECONDITION_FAILED",
  413: "PAYLOAD_TOO_LARGE",
  418: "IM_A_TEAPOT",
  421: "MISDIRECTED_REQUEST",
  422: "UNPROCESSABLE_ENTITY",
  423: "LOCKED",
  424: "FAILED_DEPENDENCY",
  425: "TOO_EARLY",
  428: "PRECONDITION_REQUIRED",
  429: "TOO_MANY_REQUESTS",
  431: "REQUEST_HEADER_FIELDS_TOO_LARGE",
  451: "UNAVAILABLE_FOR_LEGAL_REASONS",
  500: "INTERNAL_SERVER_ERROR",
  501: "NOT_IMPLEMENTED",
  502: "BAD_GATEWAY",
  503: "SERVICE_UNAVAILABLE",
  504: "TIMEOUT",
  507: "INSUFFICIENT_STORAGE",
  508: "LOOP_DETECTED",
};

/** The outcome of an error, declared or not. A code without a name, or none at all, leaves its label empty. */
export function failedWith(error: unknown): Outcome {
  const code = readField(error, "code");
  // Node's own errors have codes that are texts.
  const isStatus = typeof code === "number" && Number.isInteger(code);
  return {
    success: false,
    exceptionType: nameOf(error),
    status: isStatus ? (statusNames[code] ?? "") : "",
    statusCode: isStatus ? String(code) : "",
  };
}

/** What a handler throws may refuse to be looked at, as a proxy can: then it is an `Error` of no name that is known. */
function nameOf(error: unknown): string {
  if (typeof error !== "object" || error === null) return typeof error;
  try {
    // A declared exception may have a field `name`, which is a value rather than a class; those that Apache's compiler
    // made have no other name.
    const own = Object.getOwnPropertyDescriptor(error, "name");
    const className = classNameOf(error);
    const isField = own?.enumerable === true && !(error instanceof ApplicationError) && className !== "" && className !== "Error";
    const name = readField(error, "name");
    return typeof name === "string" && name !== "" && !isField ? name : className || "Error";
  } catch {
    return "Error";
  }
}

/** The name of an error's class: of its prototype's, since an exception may have a field `constructor`. */
function classNameOf(error: object): string {
  const prototype = Object.getPrototypeOf(error) as { constructor?: { name?: unknown } } | null;
  const name = prototype?.constructor?.name;
  return typeof name === "string" ? name : "";
}
