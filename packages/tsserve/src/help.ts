import { commands, type CommandName } from "./commands.ts";
import { environmentName, options, type Option, type OptionName } from "./options.ts";

/** The help of one command, or of all. */
export function helpOf(name: CommandName | undefined): string {
  if (name === undefined) return overview();
  const { usage, summary, options: known } = commands[name];
  return [usage, "", `  ${summary}`, ...optionLines(known)].join("\n");
}

function overview(): string {
  const rows = Object.values(commands).map(({ usage, summary }) => [usage.replace(" [options]", ""), summary] as const);
  return [
    "tsserve: an application server for Node.js services, configured by one INI file",
    "",
    ...table(rows),
    ...optionLines(commands.serve.options),
    "",
    "  The command line beats the environment, which beats the file.",
    "  tsserve COMMAND --help tells the options of one command.",
    "",
    "Exit codes: 0 stopped when asked, 1 work was lost, 2 wrong configuration, 3 never served, 128+N repeated signal.",
  ].join("\n");
}

function optionLines(names: readonly OptionName[]): string[] {
  const rows = names.map((name): readonly [string, string] => {
    const option: Option = options[name];
    const short = option.short === undefined ? "" : `-${option.short}, `;
    return [`${short}--${name}${option.value === undefined ? "" : ` ${option.value}`}`, `${option.help} [${environmentName(name)}]`];
  });
  const all = [...rows, ["--version, --help", ""] as const];
  return ["", "Options:", ...table(all)];
}

function table(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`.trimEnd());
}
