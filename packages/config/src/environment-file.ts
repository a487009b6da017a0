import { parse } from "dotenv";
import { expand } from "dotenv-expand";
import { pairBraces, variable, type Environment } from "./expand.ts";
import { isSecretKey, masked, maskPatterns } from "./mask.ts";
import { ConfigurationError, mostProblems, type Problem } from "./problem.ts";

/**
 * Reads an environment file as `dotenv` does (`NAME=value`, `export`, quotes, values of several lines, comments), and expands
 * references as `dotenv-expand` does (`$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:+other}`, `\$` for a dollar): to
 * variables that stand above, or in the environment, which wins. What a variable of the environment holds is not expanded.
 *
 * Each assignment is handed to them by itself, because together they would pass over in silence what is no assignment, a quote
 * that is never closed, and a name that is not set; these are problems here.
 *
 * @param environment the variables of the process: those that it has are left out of what is checked, since they win
 * @throws {ConfigurationError} with every problem, by file and line
 */
export function readEnvironmentFile(text: string, file: string, environment: Environment): Readonly<Record<string, string>> {
  const problems: Problem[] = [];
  /** What stands twice counts where it stands first, with what it says last. */
  const found = new Map<string, { readonly line: number; readonly value: string }>();
  for (const { line, name, written, message } of assignments(text)) {
    if (problems.length >= mostProblems) break;
    if (message === undefined) {
      found.set(name, { line, value: parse(written)[name] ?? "" });
      continue;
    }
    const isSecret = isSecretKey(name) || isSecretKey(written.split(/\s/, 1)[0] ?? "");
    problems.push({ key: name, message, value: isSecret ? masked : maskPatterns(written), file, line });
  }
  const variables = Object.create(null) as Record<string, string>;
  const lookUp = (name: string): string | undefined => variable(environment, name) ?? variables[name];
  for (const [name, { line, value }] of found) {
    variables[name] = value;
    if (variable(environment, name) !== undefined || !value.includes("$")) continue;
    // The name itself is not set yet where its value is read.
    delete variables[name];
    const { text: expansion, messages } = expandValue(value, lookUp);
    for (const message of messages) problems.push({ key: name, message, value: undefined, file, line });
    variables[name] = expansion;
  }
  problems.sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
  if (problems.length > 0) throw new ConfigurationError(problems);
  return Object.freeze(variables);
}

interface Assignment {
  /** 1-based, where it begins. */
  readonly line: number;
  /** Empty where there is none. */
  readonly name: string;
  /** The lines that it takes. */
  readonly written: string;
  /** What is wrong with it. */
  readonly message?: string;
}

const assignment = /^\s*(?:export\s+)?([\w.-]+)(?:\s*=|:\s)/;

/** Cuts the text into assignments, as `dotenv` would find them one after the other. */
function* assignments(text: string): Generator<Assignment> {
  const lines = (text.startsWith("\uFEFF") ? text.slice(1) : text).split(/\r\n|\n|\r/);
  for (let index = 0; index < lines.length; index++) {
    const first = lines[index] ?? "";
    const trimmed = first.trim();
    if (trimmed === "" || trimmed.startsWith("#")) continue;
    const line = index + 1;
    const [head, name] = assignment.exec(first) ?? [];
    if (head === undefined || name === undefined) {
      yield { line, name: "", written: trimmed, message: "expected NAME=value, or a comment" };
      continue;
    }
    const value = first.slice(head.length).trimStart();
    const quote = value[0];
    if (quote !== '"' && quote !== "'" && quote !== "`") {
      yield { line, name, written: trimmed };
      continue;
    }
    const last = lastLineOf(lines, index, first.length - value.length, quote);
    if (last === undefined) yield { line, name, written: value, message: `the quote ${quote} is never closed` };
    else yield { line, name, written: lines.slice(index, last + 1).join("\n") };
    index = last ?? index;
  }
}

/** In which line a quoted value ends; `undefined` where it does not. */
function lastLineOf(lines: readonly string[], first: number, start: number, quote: string): number | undefined {
  for (let index = first; index < lines.length; index++) {
    const line = lines[index] ?? "";
    const from = index === first ? start + 1 : 0;
    const close = closingQuote(line, from, quote);
    if (close === -1) continue;
    const rest = line.slice(close + 1).trim();
    if (rest === "" || rest.startsWith("#")) return index;
    // Further quotes on the first line: `dotenv` takes such a value as it is written. On another line, they are that line's own.
    return index === first ? index : undefined;
  }
  return undefined;
}

function closingQuote(line: string, from: number, quote: string): number {
  for (let i = from; i < line.length; i++) {
    if (line[i] === "\\" && line[i + 1] === quote) i += 1;
    else if (line[i] === quote) return i;
  }
  return -1;
}

/** More of them inside one another are nobody's; `dotenv-expand` needs time and memory that grow with their square. */
const mostNested = 100;

interface ExpandedValue {
  readonly text: string;
  readonly messages: readonly string[];
}

/** One reference after the other, each with those inside it, handed to `dotenv-expand` by itself. */
function expandValue(value: string, lookUp: LookUp): ExpandedValue {
  const messages: string[] = [];
  const closingBraces = pairBraces(value);
  let text = "";
  let i = 0;
  while (i < value.length) {
    if (value.startsWith("\\$", i)) {
      text += "$";
      i += 2;
      continue;
    }
    const end = value[i] === "$" ? endOfReference(value, i, closingBraces) : undefined;
    if (end === undefined) {
      text += value[i];
      i += 1;
      continue;
    }
    const whole = value.slice(i, end);
    const names = [...whole.matchAll(reference)].length;
    if (names > mostNested) messages.push(`expected at most ${mostNested} references inside one another`);
    else {
      for (const unset of unsetNames(whole, lookUp))
        messages.push(`the variable ${unset} is not set (set it above, or give a default: \${${unset}:-…}; \\$ is a literal dollar)`);
      text += expandReference(whole, lookUp);
    }
    i = end;
  }
  return { text, messages };
}

type LookUp = (name: string) => string | undefined;

/** Where a reference ends that begins at a dollar; `undefined` where none does. */
function endOfReference(value: string, dollar: number, closingBraces: ReadonlyMap<number, number>): number | undefined {
  const [whole, braced] = referenceAt(value, dollar);
  if (whole === undefined) return undefined;
  if (braced === undefined) return dollar + whole.length;
  const close = closingBraces.get(dollar);
  return close === undefined ? undefined : close + 1;
}

/** As `dotenv-expand` finds references; a name in braces may be followed by `-`, `:-`, `+` or `:+`. */
const reference = /(?<!\\)\$(?:\{([^{}:+-]+)|([A-Za-z_]\w*))/g;

/**
 * `dotenv-expand` would look names up in an object that has a prototype, take a dollar in what it finds for a reference, and
 * never end where that leads to itself. So it sees names of ours in place of the user's, and a mark in place of what they hold.
 */
function expandReference(whole: string, lookUp: LookUp): string {
  const held: string[] = [];
  const names: Record<string, string> = {};
  const renamed = whole.replaceAll(reference, (_, braced: string | undefined, plain: string | undefined) => {
    const content = lookUp(braced ?? plain ?? "");
    const name = `V${held.length}`;
    if (content !== undefined && content !== "") names[name] = markOf(held.length);
    held.push(content ?? "");
    return braced === undefined ? `$${name}` : `\${${name}`;
  });
  const text = expand({ parsed: { value: renamed }, processEnv: names }).parsed?.["value"] ?? whole;
  return text.replaceAll(marks, (_, index: string) => held[Number(index)] ?? "");
}

const marks = /\uE000held:(\d+)\uE000/g;

function markOf(index: number): string {
  return `\uE000held:${index}\uE000`;
}

/** References to what is not set and has no default, but for those inside a default that is not needed. */
function unsetNames(value: string, lookUp: LookUp): string[] {
  const unset: string[] = [];
  /** For each brace that is open: whether what stands in it counts. */
  const open: boolean[] = [];
  for (let i = 0; i < value.length; i++) {
    const counts = open.at(-1) ?? true;
    if (value[i] === "}") open.pop();
    if (value[i] !== "$" || value[i - 1] === "\\") continue;
    const [whole, braced, plain] = referenceAt(value, i);
    if (whole === undefined) continue;
    const name = braced ?? plain ?? "";
    const operator = braced === undefined ? "" : (/^:?[+-]/.exec(value.slice(i + whole.length, i + whole.length + 2))?.[0] ?? "");
    const held = lookUp(name);
    if (held === undefined && operator === "" && counts) unset.push(name);
    const isNeeded = operator.endsWith("+") ? Boolean(held) : !held;
    if (braced !== undefined) open.push(counts && isNeeded);
    i += whole.length - 1;
  }
  return unset;
}

function referenceAt(value: string, index: number): readonly [whole?: string, braced?: string, plain?: string] {
  const here = /\$(?:\{([^{}:+-]+)|([A-Za-z_]\w*))/y;
  here.lastIndex = index;
  const [whole, braced, plain] = here.exec(value) ?? [];
  return whole === undefined ? [] : ([whole, braced, plain] as readonly [string, string?, string?]);
}
