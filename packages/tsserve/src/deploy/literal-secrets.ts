import { isSecretKey, type IniDocument, type Problem } from "@tsserve/config";

/** A reference with what stands in for it where the variable is not set; defaults may hold references of their own. */
const reference = /(?<!\\)\$(?:[A-Za-z_]\w*|\{[A-Za-z_]\w*(?::-((?:[^{}]|\{[^{}]*\})*))?\})/g;
const urlPassword = /[a-z][a-z0-9+.-]{0,30}:\/\/[^\s:/@]{0,200}:([^\s/@]{1,1000})@/gi;

/** Settings of a server's that are called like secrets, and are paths of files. */
const pathKeys: ReadonlySet<string> = new Set(["tls.key", "amqp.ssl_key"]);

/**
 * The secrets that a file holds as they are. A manifest is kept in a repository and shown in a cluster: what is secret has
 * to be a reference there. All sections are looked at, because the whole file is carried along.
 */
export function literalSecrets({ file, sections }: IniDocument): Problem[] {
  return [...sections.values()].flatMap(({ name, entries }) =>
    [...entries.values()]
      .filter(({ key, value }) => !(name.startsWith("server:") && pathKeys.has(key)) && holdsSecret(key, value))
      .map(({ key, line }) => ({
        key,
        message: `expected a reference such as $${variableFor(key)}, which comes from a Secret; the secret itself must not be in a manifest`,
        value: undefined,
        file,
        line,
        section: name,
      })),
  );
}

function holdsSecret(key: string, value: string): boolean {
  if (value.trim() === "") return false;
  const references = [...value.matchAll(reference)];
  const defaults = references.map(([, fallback]) => fallback ?? "");
  if (isSecretKey(key)) return references.length === 0 || defaults.some((each) => holdsSecret(key, each));
  if (defaults.some((each) => holdsSecret("", each))) return true;
  return [...value.matchAll(urlPassword)].some(([, password = ""]) => password.replaceAll(reference, "") !== "");
}

/** Whether what a key refers to is secret: by the key's name, the variable's, or because it is the password of a URL. */
export function refersToSecret(key: string, value: string, variable: string): boolean {
  if (isSecretKey(key) || isSecretKey(variable)) return true;
  return [...value.matchAll(urlPassword)].some(([, password = ""]) => new RegExp(`\\$\\{?${variable}\\b`).test(password));
}

/** `DB_PASSWORD` for `db.password`. */
function variableFor(key: string): string {
  return key.toUpperCase().replaceAll(/\W+/g, "_");
}
