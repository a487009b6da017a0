/** Writes a word, such as a path, so that a tool reads it as one, whatever signs are in it. */
export type QuoteWord = (word: string) => string;

/** What no tool takes for anything but itself. */
const isPlain = (word: string): boolean => /^[\w@+=:,./-]+$/.test(word);

const inQuotes = (word: string): string => `"${word.replaceAll(/["\\]/g, (sign) => `\\${sign}`)}"`;

/** In a command line of a unit (systemd.service(5), "Command lines"): `%` and `$` begin something, also in quotes. */
export const systemdWord: QuoteWord = (word) => (isPlain(word) ? word : inQuotes(word).replaceAll(/[%$]/g, (sign) => `${sign}${sign}`));

/** In a command of supervisor or circus, which is split as a shell does; to supervisor `%` begins a value. */
export const supervisorWord: QuoteWord = (word) => (isPlain(word) ? word : inQuotes(word).replaceAll("%", "%%"));
export const circusWord: QuoteWord = (word) => (isPlain(word) ? word : inQuotes(word));

/** A parameter of a directive of nginx. */
export const nginxWord: QuoteWord = (word) => (isPlain(word) ? word : inQuotes(word));

/** The value of an `ENV` in a Dockerfile (docs.docker.com/reference/dockerfile/#env), where `$` begins a variable. */
export const dockerValue: QuoteWord = (word) => (isPlain(word) ? word : inQuotes(word).replaceAll("$", "\\$"));
