const secretKey = /pass(?:word|wd|phrase)?|secret|token|credential|api_?key|private_?key|access_?key|dsn|(?:^|[._-])(?:key|auth)$/i;

/** What is printed in place of a secret. */
export const masked = "****";

/** A value as it may be shown: hidden where the key's name says it is a secret, URLs without their password. */
export function maskSecret(key: string, value: string): string {
  if (value === "") return value;
  if (secretKey.test(key)) return masked;
  return value.replace(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*):[^\s/]+@/gi, `$1:${masked}@`);
}
