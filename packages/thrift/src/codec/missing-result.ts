import { ApplicationError, applicationErrors } from "../application-error.ts";

/** The server answered neither with a result nor with an exception. */
export function missingResult(method: string): ApplicationError {
  return new ApplicationError(applicationErrors.missingResult, `${method}: the answer has no result`);
}
