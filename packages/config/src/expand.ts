/** The variables that references are looked up in. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What is wrong with one reference. */
export interface ExpansionProblem {
  /** A sentence for the person who wrote the value. */
  readonly message: string;
  /** The part of the value that is meant, where the message alone does not say it. */
  readonly at?: string;
}

export interface Expansion {
  readonly text: string;
  /** One for each reference that could not be expanded. */
  readonly problems: readonly ExpansionProblem[];
  /** The variables whose contents stand in the text now. */
  readonly used: readonly string[];
}

const namePattern = /[A-Za-z_][A-Za-z0-9_]*/y;
const longestQuote = 40;

/**
 * Expands `$NAME`, `${NAME}` and `${NAME:-default}`. `\$` is a literal dollar, and so is a `$` that
 * starts no name. What a variable holds is inserted as it is, never expanded again. An empty
 * variable counts as unset for `:-`, as in a shell; a default may hold references of its own.
 *
 * Looks at each character a fixed number of times, however deep defaults nest.
 */
export function expand(text: string, env: Environment): Expansion {
  if (!text.includes("$")) return { text, problems: [], used: [] };
  const closingBraces = pairBraces(text);
  const problems: ExpansionProblem[] = [];
  const used: string[] = [];
  /** Where the defaults end that are being expanded, the innermost last. */
  const openDefaults: number[] = [];
  let out = "";
  let i = 0;

  const insert = (name: string): void => {
    const value = variable(env, name);
    if (value === undefined) {
      problems.push({ message: `the environment variable ${name} is not set (set it, or give a default: \${${name}:-…})` });
      return;
    }
    used.push(name);
    out += value;
  };

  while (i < text.length) {
    if (i === openDefaults.at(-1)) {
      openDefaults.pop();
      i += 1;
      continue;
    }
    if (text.startsWith("\\$", i)) {
      out += "$";
      i += 2;
      continue;
    }
    if (text[i] !== "$") {
      const next = nextSpecial(text, i + 1, openDefaults.at(-1));
      out += text.slice(i, next);
      i = next;
      continue;
    }
    const braced = text[i + 1] === "{";
    const start = i + (braced ? 2 : 1);
    const name = nameAt(text, start);
    const end = start + (name?.length ?? 0);
    if (name === undefined) {
      out += "$";
      i += 1;
    } else if (!braced) {
      insert(name);
      i = end;
    } else if (text[end] === "}") {
      insert(name);
      i = end + 1;
    } else if (!text.startsWith(":-", end)) {
      problems.push({
        message: `expected \${${name}} or \${${name}:-default} (write \\$ for a literal dollar)`,
        at: text.slice(i, Math.min(end + 1, i + longestQuote)),
      });
      i = end;
    } else {
      const close = closingBraces.get(i);
      if (close === undefined) {
        problems.push({
          message: 'a reference with a default lacks its closing "}"',
          at: text.slice(i, Math.min(end + 2, i + longestQuote)),
        });
        break;
      }
      const value = variable(env, name);
      if (value !== undefined && value !== "") {
        insert(name);
        i = close + 1;
      } else {
        openDefaults.push(close);
        i = end + 2;
      }
    }
  }
  return { text: out, problems, used };
}

/** What a variable holds. A name that every object knows, such as `toString`, is not set unless somebody set it. */
export function variable(env: Environment, name: string): string | undefined {
  return Object.hasOwn(env, name) ? env[name] : undefined;
}

function nameAt(text: string, start: number): string | undefined {
  namePattern.lastIndex = start;
  return namePattern.exec(text)?.[0];
}

/** Where the next `$` or `\` stands, or the default ends. */
function nextSpecial(text: string, from: number, end: number = text.length): number {
  for (let i = from; i < end; i++) if (text[i] === "$" || text[i] === "\\") return i;
  return Math.max(from, Math.min(end, text.length));
}

/** For each `${`, the `}` that closes it, past those of the references inside it. */
export function pairBraces(text: string): ReadonlyMap<number, number> {
  const pairs = new Map<number, number>();
  const open: number[] = [];
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "{" && text[i - 1] === "$") open.push(i - 1);
    else if (text[i] === "}") {
      const start = open.pop();
      if (start !== undefined) pairs.set(start, i);
    }
  }
  return pairs;
}
