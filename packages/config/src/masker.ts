import { isSecretEntry, isSecretKey, masked, maskPatterns, mayShowSecret, secretParts } from "./mask.ts";

/** Shorter ones are found in half of all texts: only where they stand alone would they be replaced, and shorter still, never. */
const shortest = 4;
const safeAnywhere = 6;
/** Words that are no secret, whatever key they are the value of: replacing them would make messages unreadable. */
const commonWords: ReadonlySet<string> = new Set(
  "true false none null undefined auto default main test info debug error warn json http https localhost basic bearer admin root user public private production development staging".split(
    " ",
  ),
);

/**
 * Replaces secrets in texts that are printed, logged or shown. It only ever learns: what was a secret before an upgrade
 * is one after it, because workers with the old value are still running.
 */
export class Masker {
  readonly #secrets = new Set<string>();
  /** Keys whose values are secret, as `section\nkey`. */
  readonly #keys = new Set<string>();
  #pattern: RegExp | undefined;
  /** Those of the secrets that may stand in a word. */
  #words: readonly string[] = [];

  /** Every occurrence of these texts will be replaced, also as it stands in JSON or in a URL. Very short ones and common words are left. */
  learn(secrets: Iterable<string>): void {
    const before = this.#secrets.size;
    for (const secret of secrets) for (const form of formsOf(secret.trim())) this.#secrets.add(form);
    if (this.#secrets.size === before) return;
    this.#pattern = patternOf(this.#secrets);
    this.#words = [...this.#secrets].filter((secret) => /^[\w.-]+$/.test(secret));
  }

  /** As `learn`, with the passwords of URLs and whatever else shows by itself that it is secret. */
  learnFrom(texts: Iterable<string>): void {
    for (const text of texts) this.learn(secretParts(text));
  }

  /** The value of a key is secret, as its name or its spec says. */
  learnValue(section: string, key: string, text: string): void {
    this.#keys.add(`${section}\n${key}`);
    this.learn([text]);
  }

  /** Variables of the environment: secret where their names say so, or a part of what they hold shows it. */
  learnVariables(variables: Iterable<readonly [name: string, value: string]>): void {
    for (const [name, value] of variables) {
      this.learnFrom([value]);
      // PWD is the working folder.
      if (isSecretKey(name) && !/^(?:OLD)?PWD$/.test(name)) this.learn([value]);
    }
  }

  /** Grows with every secret that is learned: what was masked before may not be whole any more. */
  get revision(): number {
    return this.#secrets.size;
  }

  /** Whether the value of a key was learned to be secret. */
  isSecret(section: string, key: string): boolean {
    return this.#keys.has(`${section}\n${key}`);
  }

  /** The value of a key as it may be shown: nothing of it where it is secret, else without the secrets in it. */
  show(section: string, key: string, value: string): string {
    if (value === "") return value;
    return isSecretEntry(section, key, value) || this.isSecret(section, key) ? masked : this.mask(value);
  }

  /**
   * Whether `mask` might change a word, which has letters, digits and `._-` only, such as the id of a request: each line of a log has
   * another one, and looking for this costs a small part of masking it.
   */
  mayMask(word: string): boolean {
    return this.#words.some((secret) => word.includes(secret)) || mayShowSecret(word);
  }

  /** The text, with `****` in place of each secret. */
  mask(text: string): string {
    const known = this.#pattern === undefined ? text : text.replace(this.#pattern, masked);
    return maskPatterns(known);
  }
}

/** How a secret may stand in a text: as it is, in JSON, in JSON that is a text in JSON, as a part of a URL, in a whole one, in a form. */
function formsOf(secret: string): string[] {
  if (!isWorthHiding(secret)) return [];
  const lines = secret.includes("\n") ? secret.split("\n").filter((line) => line.trim().length >= 16) : [];
  const whole = wellFormed(secret);
  const inUrls = [encodeURIComponent(whole), encodeURI(whole), new URLSearchParams([["", whole]]).toString().slice(1)];
  return [...new Set([secret, inJson(secret), inJson(inJson(secret)), ...inUrls, ...lines.map((line) => line.trim())])];
}

function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

function isWorthHiding(secret: string): boolean {
  if (secret.length < shortest || commonWords.has(secret.toLowerCase())) return false;
  // A number of few digits is a port, a count, a status.
  return !/^[\d.]{1,5}$/.test(secret);
}

/** `encodeURIComponent` throws on half of a surrogate pair. */
function wellFormed(text: string): string {
  return Buffer.from(text, "utf8").toString("utf8");
}

/** The longest first, so that no secret is cut in two by one that is a part of it. */
function patternOf(secrets: ReadonlySet<string>): RegExp {
  const alternatives = [...secrets]
    .sort((a, b) => b.length - a.length)
    .map((secret) => {
      const escaped = secret.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");
      return secret.length >= safeAnywhere ? escaped : `(?<![\\p{L}\\p{N}_])${escaped}(?![\\p{L}\\p{N}_])`;
    });
  return new RegExp(alternatives.join("|"), "gu");
}
