import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { get, serveFleet, up } from "./support/fleet.ts";
import { run } from "./support/run.ts";

const pages = ["docs/at-3-am.md", "docs/profiles.md"];

/** The commands that a page shows, each once. */
function commandsOf(page: string): string[] {
  const text = readFileSync(new URL(`../${page}`, import.meta.url), "utf8");
  const blocks = [...text.matchAll(/```console\n([^]*?)```/g)].map(([, block = ""]) => block);
  return [...new Set(blocks.flatMap((block) => [...block.matchAll(/^\$ (.*)$/gm)].map(([, command = ""]) => command)))];
}

test.each(pages)("every command of %s does what it says", async (page) => {
  const commands = commandsOf(page);
  expect(commands.length).toBeGreaterThan(3);
  await using fleet = await serveFleet({ workers: 2, server: "metrics.endpoint = 127.0.0.1:0\nprofile_dir = .\ncontrol_repl = true" });
  await up(fleet, 2);
  await get(fleet);
  for (const command of commands) {
    const { workers } = await fleet.settled(2);
    const [program, ...words] = command.split(" ");
    if (program === "kill") {
      process.kill(workers[0]?.pid ?? 0, "SIGUSR1");
      await fleet.log(/^SIGUSR1: /);
      continue;
    }
    expect(program).toBe("tsserve");
    const args = words
      .map((word) => word.replace("localhost:9090", `127.0.0.1:${fleet.port}`))
      .map((word) => (word === "N" || (words.includes("--worker") && /^\d$/.test(word)) ? String(workers[0]?.index) : word))
      // As long as it has to take.
      .map((word, index) => (words[index - 1] === "--seconds" ? "0.2" : word));
    const quick = args.includes("cpu") && !args.includes("--seconds") ? ["--seconds", "0.2"] : [];
    const socket = args[0] === "ctl" ? ["--socket", "ctl.sock"] : [];
    const { code, stdout, stderr } = await run({}, [...args, ...quick, ...socket], { cwd: fleet.folder });
    expect([command, code, stderr]).toEqual([command, 0, ""]);
    if (command.includes("profile")) expect(stdout).toMatch(/^worker \d+ \(pid \d+(?:, the \w+ of 2)?\): \/\S+\.(?:html|heapsnapshot)\n$/);
  }
});
