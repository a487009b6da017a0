import { isTsserveError, TsserveError } from "@tsserve/config";

/** A place where connections can't arrive, in words; `systemCode` is the system's, such as `EADDRINUSE`. */
export class ListenError extends TsserveError {
  override readonly name = "ListenError";

  constructor(message: string, systemCode?: string, cause?: unknown) {
    super("ERR_TSSERVE_LISTEN", message, { cause, systemCode });
  }
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "the address is already in use by another process",
  EACCES: "permission denied (ports below 1024 and some folders need more rights)",
  EADDRNOTAVAIL: "the address does not belong to this machine",
  EAFNOSUPPORT: "this machine has no such address family",
  ENOTFOUND: "the host name is not known",
  EAI_AGAIN: "the host name could not be looked up",
  ENOENT: "the folder does not exist",
  ENAMETOOLONG: "the path is too long for a unix socket",
  EINVAL: "the address is not valid for this kind of socket (a unix socket's path has at most 107 bytes)",
  EBADF: "the descriptor is not open",
  EMFILE: "this process may have no more descriptors (ulimit -n, LimitNOFILE=)",
  ENFILE: "the machine has no more descriptors",
  ENOTSOCK: "the descriptor is not a socket",
};

/** Turns a system's refusal into a sentence: place, reason, code. */
export function listenError(error: Error, place: string): TsserveError {
  if (isTsserveError(error, "ERR_TSSERVE_LISTEN")) return error;
  const code = (error as NodeJS.ErrnoException).code;
  const reason = (code === undefined ? undefined : reasons[code]) ?? error.message;
  return new ListenError(`cannot listen on ${place}: ${reason}${code === undefined ? "" : ` (${code})`}`, code, error);
}

const ipv6Refusals: ReadonlySet<string | undefined> = new Set(["EAFNOSUPPORT", "EADDRNOTAVAIL", "EINVAL"]);

/** Whether the system refuses `::` with this code because it has no IPv6: then all interfaces are those of IPv4. */
export function isWithoutIpv6(systemCode: string | undefined): boolean {
  return ipv6Refusals.has(systemCode);
}
