import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageFile } from "../package-file.ts";
import type { FlameNode, FlameTree } from "./flame-tree.ts";

const folder = packageFile("page");

/** What is said of a profile on its page. */
export interface FlameTitle {
  /** `CPU profile of worker 0 (pid 4711)` */
  readonly title: string;
  /** When and for how long. */
  readonly subtitle: string;
}

/** One HTML document that shows a profile as a flame graph. Nothing of it is loaded from elsewhere, and nothing may be. */
export function flamePage(tree: FlameTree, { title, subtitle }: FlameTitle): string {
  const read = (name: string): string => readFileSync(join(folder, name), "utf8");
  const style = read("flame.css");
  const script = read("flame.js");
  const policy = `default-src 'none'; style-src '${hashOf(style)}'; script-src '${hashOf(script)}'; img-src data:; base-uri 'none'; form-action 'none'`;
  const texts: Readonly<Record<string, string>> = { POLICY: policy, TITLE: escapeHtml(title), SUBTITLE: escapeHtml(subtitle) };
  const data = escapeJson({ unit: tree.unit, ...flatten(tree.root) });
  // In one pass: what is put in is not looked at again.
  return read("flame.html").replaceAll(
    /\{\{(\w+)\}\}|<style>[^]*?<\/style>|<script([^>]*)>[^]*?<\/script>/g,
    (found, name: string | undefined, attributes: string | undefined) => {
      if (name !== undefined) return texts[name] ?? "";
      if (found.startsWith("<style")) return `<style>${style}</style>`;
      return `<script${attributes}>${attributes === "" ? script : data}</script>`;
    },
  );
}

/** A tree as the page has it: each function once, and the nodes in the order of the tree. */
export interface FlatTree {
  /** Names and places, in turn. */
  readonly functions: readonly string[];
  /** For each node: the number of its function, of its parent (-1 for the root), its own measure. */
  readonly nodes: readonly (readonly [fn: number, parent: number, self: number])[];
}

export function flatten(root: FlameNode): FlatTree {
  const functions: string[] = [];
  const numbers = new Map<string, number>();
  const nodes: [number, number, number][] = [];
  const add = ({ name, place, self, children }: FlameNode, parent: number): void => {
    const key = `${name}\0${place}`;
    const fn = numbers.get(key) ?? functions.push(name, place) / 2 - 1;
    numbers.set(key, fn);
    const index = nodes.push([fn, parent, Math.round(self)]) - 1;
    for (const child of children) add(child, index);
  };
  add(root, -1);
  return { functions, nodes };
}

/** For the text of an element, and for attributes. */
export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** JSON for an element `script`: nothing in it can end the element, or begin a comment there. Names of functions are anybody's. */
export function escapeJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function hashOf(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}
