import { isSecretKey } from "./mask.ts";
import { keysOf } from "./parse-config.ts";
import { inherited, isMarkedSecret, isReader, read, secretMark, type Parser, type Reader, type Spec } from "./spec.ts";
import { documentationOf } from "./setting.ts";

/**
 * A value that nobody may see. It reads as `inner` reads it; where it is printed, logged or shown, by tsserve or as a part
 * of a message, `****` stands in its place. Goes round a parser or anything made of one:
 *
 *     parseConfig(config, { pepper: secret(string), keys: secret(dictOf(base64)), old: optional(secret(string)) })
 *
 * Keys whose names say it (`password`, `jwt`, `api_key`, `dsn`, …) are secret without it.
 */
export function secret<T>(inner: Parser<T>): Parser<T>;
export function secret<T>(inner: Reader<T>): Reader<T>;
export function secret(inner: Parser<unknown> | Reader<unknown>): Parser<unknown> | Reader<unknown> {
  if (!isReader(inner)) return Object.assign((text: string) => inner(text), inherited(inner), { [secretMark]: true });
  return { ...inner, [secretMark]: true, [read]: (source, key) => inner[read]({ ...source, isSecret: true }, key) } as Reader<unknown>;
}

/**
 * Whether the value of a key is secret: by its spec, or by its name. The weakest names, `…key` and `auth`, give way to a spec
 * that is documented and says nothing of a secret: `tls.key` is a path.
 */
export function isSecret(key: string, spec: Spec = {}): boolean {
  const known = [...keysOf(spec)].find(({ name, matches }) => name === key || matches(key));
  if (known !== undefined && isMarkedSecret(known.spec)) return true;
  return isSecretKey(key, { weak: known === undefined || documentationOf(known.spec) === undefined });
}
