import { TsserveError } from "@tsserve/config";
import type { Place } from "./syntax.ts";

/** Something is wrong with a .thrift file; the message begins with `file:line:column: `. */
export class IdlError extends TsserveError {
  override readonly name = "IdlError";
  readonly place: Place;

  constructor(place: Place, message: string) {
    super("ERR_TSSERVE_IDL", `${place.file}:${place.line}:${place.column}: ${message}`);
    this.place = place;
  }
}

/** A name that no file defines: wrong where it is used, and only there. */
export class UnknownNameError extends IdlError {}
