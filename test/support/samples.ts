import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const textOf = (page: string): string => readFileSync(fileURLToPath(new URL(`../../docs/${page}`, import.meta.url)), "utf8");

/** The block of a page of the docs in a language. */
export function sampleOf(page: string, language: string): string {
  const blocks = [...textOf(page).matchAll(/^```(\w+)\n([^]*?)^```$/gm)].filter(([, of]) => of === language);
  if (blocks.length !== 1) throw new Error(`${page} has ${blocks.length} blocks of ${language}, expected one`);
  return blocks[0]?.[2] ?? "";
}

/** The blocks that name their file in their first line. A temporary folder has no packages: they are named by where they are. */
export function filesOf(page: string): Record<string, string> {
  const blocks = textOf(page).matchAll(/```(?:js|ini)\n(?:\/\/|;) (\S+)\n([^]*?)```/g);
  const located = (source: string): string =>
    source.replace(/from "((?!node:|\.)[^"]+)"/g, (_, name: string) => `from ${JSON.stringify(import.meta.resolve(name))}`);
  return Object.fromEntries([...blocks].map(([, name = "", text = ""]) => [name, located(text)]));
}
