import { commands, type Command, type CommandName } from "./commands.ts";
import { environmentName, type Option, options } from "./options.ts";

/** The width of a terminal that nobody has made wider. */
const columns = 80;
/** What is wider stands on a line of its own, before what is said of it. */
const widestLeft = 28;

/** The help of one command, or of all. No line is longer than 80 characters. */
export function helpOf(name: CommandName | undefined): string {
  if (name === undefined) return overview();
  const command = commands[name];
  return [...wrapped(command.usage, "    ", ""), "", ...wrapped(command.summary, "  "), ...optionLines(command)].join("\n");
}

function overview(): string {
  const rows = Object.values(commands).map(({ usage, summary }) => [usage.replace(" [options]", ""), summary] as const);
  return [
    "tsserve: an application server for Node.js services, configured by one INI file",
    "",
    ...table(rows),
    ...optionLines(commands.serve),
    "",
    "  The command line beats the environment, which beats the file.",
    "  tsserve COMMAND --help tells the options of one command.",
    "",
    ...wrapped(
      "Exit codes: 0 stopped when asked, 1 work was lost, 2 wrong configuration, 3 never served, 128+N repeated signal.",
      "  ",
      "",
    ),
  ].join("\n");
}

function optionLines({ options: names, unlisted = [] }: Command): string[] {
  const listed = names.filter((name) => !unlisted.includes(name));
  const rows = listed.map((name): readonly [string, string] => {
    const option: Option = options[name];
    const short = option.short === undefined ? "" : `-${option.short}, `;
    return [`${short}--${name}${option.value === undefined ? "" : ` ${option.value}`}`, `${option.help} [${environmentName(name)}]`];
  });
  const all = [...rows, ["--version, --help", ""] as const];
  return ["", "Options:", ...table(all)];
}

function table(rows: readonly (readonly [string, string])[]): string[] {
  const narrow = rows.map(([left]) => left.length).filter((length) => length <= widestLeft);
  const width = Math.max(4, ...narrow);
  return rows.flatMap(([left, right]) => {
    const indent = " ".repeat(width + 4);
    const lines = wrapped(right, indent);
    if (left.length > width) return [...wrapped(left, "      ", "  "), ...lines];
    const [first = "", ...rest] = lines;
    return [`  ${left.padEnd(width)}  ${first.trimStart()}`.trimEnd(), ...rest];
  });
}

/** The words of a text on as many lines as they need; also parted at `|`, which stands in long usages. */
function wrapped(text: string, indent: string, firstIndent: string = indent): string[] {
  const lines: string[] = [];
  let line = firstIndent;
  let isEmpty = true;
  for (const word of text.split(/ |(?<=\|)/)) {
    const glue = isEmpty || line.endsWith("|") ? "" : " ";
    if (!isEmpty && line.length + glue.length + word.length > columns) {
      lines.push(line);
      line = indent;
      isEmpty = true;
    }
    line += `${isEmpty ? "" : glue}${word}`;
    isEmpty = false;
  }
  return [...lines, line];
}
