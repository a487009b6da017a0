import { describe, expect, test } from "vitest";
import { commands, isCommand, type CommandName } from "./commands.ts";
import { helpOf } from "./help.ts";
import { environmentName, type OptionName, options } from "./options.ts";

const names = Object.keys(commands).filter(isCommand);
const pages: readonly (CommandName | undefined)[] = [undefined, ...names];

describe.each(pages.map((name) => [name ?? "tsserve", name] as const))("the help of %s", (_, name) => {
  const text = helpOf(name);

  test("has no line of more than 80 characters, and no blank at an end", () => {
    expect(text.split("\n").filter((line) => line.length > 80 || line !== line.trimEnd())).toEqual([]);
  });

  test("tells every option with its variable, but for those that are not listed", () => {
    const { options: taken, unlisted = [] } = commands[name ?? "serve"];
    const words = text.replaceAll(/\s+/g, " ");
    for (const option of taken) {
      const isListed = !unlisted.includes(option);
      expect([option, new RegExp(`--${option}( |$)`, "m").test(text)]).toEqual([option, isListed]);
      expect([option, words.includes(`[${environmentName(option)}]`)]).toEqual([option, isListed]);
      if (isListed) expect(words).toContain(options[option].help);
    }
  });
});

test("the overview tells every command with its summary", () => {
  const words = helpOf(undefined).replaceAll(/\s+/g, " ");
  for (const name of names) expect(words).toContain(commands[name].summary);
});

test("every option is one that some command takes", () => {
  const taken = new Set(Object.values(commands).flatMap((command) => command.options));
  expect((Object.keys(options) as OptionName[]).filter((name) => !taken.has(name))).toEqual([]);
});
