/** What is printed in place of a secret. */
export const masked = "****";

/** Nouns that name a secret wherever they stand in a key: `password`, `db_password`, `passwords.main`, `jwtSecret`. */
const secretWord =
  /^(?:pass(?:word|wd|phrase|code)?s?|pwds?|pws?|secrets?|tokens?|jwts?|credentials?|creds?|authorizations?|dsns?|cookies?|bearers?|hmac|salts?|signatures?|otp|pin|apikeys?|secretkeys?|accesskeys?|privatekeys?|authtokens?)$/;
/** Nouns that name one only at the end of a key: `api_key`, `auth`. */
const secretLastWord = /^(?:keys?|auth)$/;
/** What a key with such a word is about when it ends so: a length of time, a number, a name for something public. */
const harmlessLastWord =
  /^(?:ttl|timeout|lifetime|expiry|expires|expiration|age|interval|length|size|count|enabled|required|algorithm|algorithms|alg|issuer|audience|header|min|max|rounds|retries|attempts|rotation|prefix|type|provider|name|file|path|dir|directory|folder|url|uri|endpoint|host|port|id|user|username|mode|policy|source|store|backend|format|scheme|backoff)$/;

/** Whether the name of a key (or of a variable) says that its value is secret; without the weak names, `…key` and `auth`, if that is wanted. */
export function isSecretKey(key: string, { weak = true }: { readonly weak?: boolean } = {}): boolean {
  const words = wordsOf(key);
  const last = words.at(-1);
  if (last === undefined || harmlessLastWord.test(last)) return false;
  return (weak && secretLastWord.test(last)) || words.some((word) => secretWord.test(word));
}

/** Settings of servers that are called like secrets, and name files. */
const fileSettings: ReadonlySet<string> = new Set(["tls.key", "amqp.ssl_key"]);

/** Whether a setting that is called like a secret names a file. Whoever is called at night has to see which; a key itself is never shown. */
export function isFileSetting(key: string, value: string): boolean {
  if (!fileSettings.has(key) || value.length > 4096 || /[\n\r]|-----|:\/\//.test(value)) return false;
  return /^(?:\.{0,2}|~)\//.test(value) || /\.[a-z]{2,4}$/i.test(value);
}

/** Whether the value of a key of a section is secret by the key's name. */
export function isSecretEntry(section: string, key: string, value: string): boolean {
  return isSecretKey(key) && !(section.startsWith("server:") && isFileSetting(key, value));
}

/** `db.apiKey_2` has the words db, api, key. */
function wordsOf(key: string): string[] {
  return key
    .slice(0, 1000)
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z]+/)
    .filter((word) => word !== "");
}

/** `scheme://user:password@`: each part is bounded by what it may not contain, so that no text takes long. */
const urlPassword = /([a-z][a-z0-9+.-]{0,30}:\/\/[^\s:/@"'<>]{0,200}:)([^\s/"'<>]{1,1000})@/gi;
/** `password=…` in a query or a list that `;` or blanks separate; `Bearer …`; a JSON web token; a PEM private key. */
const assigned =
  /((?:^|[\s?&;,"'(])(?:[a-z0-9]{1,30}[_-]){0,4}(?:password|passwd|pwd|passphrase|secret|token|api[_-]?key|access[_-]?key)=)([^\s&;,"'<>)]{1,1000})/gi;
const bearer = /(\b(?:bearer|basic) )([A-Za-z0-9+/=._~-]{8,4000})/gi;
const jsonWebToken = /()\b(eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{4,4000}\.[A-Za-z0-9_-]{0,4000})/g;
/** What `{"` is in base64. */
const startOfToken = "eyJ";
const privateKey = /(-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----)([A-Za-z0-9+/=\s\\]{1,20000})/g;

/** Each with what a text has to contain for it to be worth a look: every line of the log passes here. */
const patterns: readonly (readonly [pattern: RegExp, mayOccur: (text: string) => boolean])[] = [
  [urlPassword, (text) => text.includes("://") && text.includes("@")],
  [assigned, (text) => text.includes("=")],
  [bearer, (text) => /earer |asic |EARER |ASIC /.test(text)],
  [jsonWebToken, (text) => text.includes(startOfToken)],
  [privateKey, (text) => text.includes("PRIVATE KEY")],
];

/** Whether a word, of letters, digits and `._-`, may show by itself that it is secret: only a JSON web token is one without blanks, `=` or `:`. */
export function mayShowSecret(word: string): boolean {
  return word.includes(startOfToken);
}

/** The text without what shows by itself that it is secret, wherever it stands. */
export function maskPatterns(text: string): string {
  let shown = text;
  for (const [pattern, mayOccur] of patterns) {
    if (mayOccur(shown)) shown = shown.replace(pattern, pattern === urlPassword ? `$1${masked}@` : `$1${masked}`);
  }
  return shown;
}

/** What `maskPatterns` would hide in a text. */
export function secretParts(text: string): string[] {
  return patterns.flatMap(([pattern]) => [...text.matchAll(pattern)].flatMap(([, , secret = ""]) => [secret, decoded(secret)]));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A sentence about a secret, without the secret. */
export function withoutSecret(sentence: string, secret: string): string {
  const shown = secret.trim().length < 3 ? sentence : sentence.replaceAll(secret, masked).replaceAll(secret.trim(), masked);
  return maskPatterns(shown);
}

/** A value as it may be shown: hidden where the key's name says that it is a secret, else without the secrets in it. */
export function maskSecret(key: string, value: string): string {
  if (value === "") return value;
  return isSecretKey(key) ? masked : maskPatterns(value);
}
