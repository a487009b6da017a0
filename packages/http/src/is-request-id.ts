/** A proxy's id for a request is taken as the request's own when it looks like this: it goes into logs, and back to clients. */
const longest = 128;

/** Which characters may be in one: letters, digits and `._-`, by their codes. */
const acceptable = new Uint8Array(128);
for (const character of "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._-") acceptable[character.charCodeAt(0)] = 1;

/** Tells whether a text may be the id of a request. Asked for each request: a walk costs less than a pattern. */
export function isRequestId(text: unknown): text is string {
  if (typeof text !== "string" || text.length === 0 || text.length > longest) return false;
  for (let n = 0; n < text.length; n++) if (acceptable[text.charCodeAt(n)] !== 1) return false;
  return true;
}
