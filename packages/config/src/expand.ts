/** The variables that references are looked up in. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface Expansion {
  readonly text: string;
  /** One sentence for each reference that could not be expanded. */
  readonly problems: readonly string[];
}

const namePattern = /[A-Za-z_][A-Za-z0-9_]*/y;

/**
 * Expands `$NAME`, `${NAME}` and `${NAME:-default}`. `\$` is a literal dollar, and so is a `$` that
 * starts no name. What a variable holds is inserted as it is, never expanded again. An empty
 * variable counts as unset for `:-`, as in a shell; a default may hold references of its own.
 */
export function expand(text: string, env: Environment): Expansion {
  if (!text.includes("$")) return { text, problems: [] };
  const problems: string[] = [];
  let out = "";
  let i = 0;
  while (i < text.length) {
    if (text.startsWith("\\$", i)) {
      out += "$";
      i += 2;
    } else if (text[i] !== "$") {
      out += text[i];
      i += 1;
    } else {
      const reference = readReference(text, i, env);
      out += reference.text;
      problems.push(...reference.problems);
      i = reference.end;
    }
  }
  return { text: out, problems };
}

interface Reference extends Expansion {
  readonly end: number;
}

function readReference(text: string, dollar: number, env: Environment): Reference {
  const braced = text[dollar + 1] === "{";
  const start = dollar + (braced ? 2 : 1);
  namePattern.lastIndex = start;
  const name = namePattern.exec(text)?.[0];
  if (name === undefined) return { text: "$", problems: [], end: dollar + 1 };
  const afterName = start + name.length;
  if (!braced) return { ...lookUp(name, env), end: afterName };
  if (text[afterName] === "}") return { ...lookUp(name, env), end: afterName + 1 };
  if (!text.startsWith(":-", afterName)) {
    const shown = text.slice(dollar, afterName + 1);
    return failed(`expected \${${name}} or \${${name}:-default} at "${shown}" (write \\$ for a literal dollar)`, afterName);
  }
  const close = closingBrace(text, afterName + 2);
  if (close === -1) return failed(`\${${name}:- lacks its closing "}"`, text.length);
  const value = env[name];
  if (value !== undefined && value !== "") return { text: value, problems: [], end: close + 1 };
  return { ...expand(text.slice(afterName + 2, close), env), end: close + 1 };
}

function lookUp(name: string, env: Environment): Expansion {
  const value = env[name];
  if (value !== undefined) return { text: value, problems: [] };
  const advice = `set it, or give a default: \${${name}:-…}`;
  return { text: "", problems: [`the environment variable ${name} is not set (${advice})`] };
}

function failed(problem: string, end: number): Reference {
  return { text: "", problems: [problem], end };
}

/** The brace that closes a default, past those of the references inside it; -1 when there is none. */
function closingBrace(text: string, from: number): number {
  let depth = 1;
  for (let i = from; i < text.length; i++) {
    if (text[i] === "{" && text[i - 1] === "$") depth += 1;
    else if (text[i] === "}") depth -= 1;
    if (depth === 0) return i;
  }
  return -1;
}
