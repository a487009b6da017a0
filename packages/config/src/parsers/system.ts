import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { runBriefly } from "../run-briefly.ts";
import type { Parser } from "../spec.ts";

/** A file, opened at once; gives its descriptor, which the caller closes. `flags` as for `fs.open`, default `r`. */
export function file(flags = "r"): Parser<number> {
  return (text) => {
    let fd: number;
    try {
      fd = openSync(text, flags);
    } catch (error) {
      throw new Error(`could not open the file: ${(error as Error).message}`, { cause: error });
    }
    if (!fstatSync(fd).isDirectory()) return fd;
    closeSync(fd);
    throw new Error("could not open the file: it is a folder");
  };
}

/** A user's name or number; gives the user id. */
export const unixUser: Parser<number> = (text) => lookUp(text.trim(), "user", "/etc/passwd", ["id", "-u"]);

/** A group's name or number; gives the group id. */
export const unixGroup: Parser<number> = (text) => lookUp(text.trim(), "group", "/etc/group", ["getent", "group"]);

/** The file first; then the system's own tool, which also knows LDAP and the like. */
function lookUp(name: string, kind: string, path: string, tool: readonly [string, string]): number {
  const id = fromFile(name, path) ?? (/^[A-Za-z_][\w.-]*\$?$/.test(name) ? fromTool(name, tool) : undefined);
  if (id !== undefined) return id;
  if (/^\d+$/.test(name)) return Number(name);
  throw new Error(`expected the name or the number of a ${kind} of this machine`);
}

function fromFile(name: string, path: string): number | undefined {
  let lines: string[];
  try {
    lines = readFileSync(path, "utf8").split("\n");
  } catch {
    return undefined;
  }
  const fields = lines.map((line) => line.split(":")).find(([first]) => first === name);
  return fields?.[2] === undefined ? undefined : Number(fields[2]);
}

function fromTool(name: string, [command, argument]: readonly [string, string]): number | undefined {
  const ran = runBriefly(command, [argument, name]);
  const id = ran?.status === 0 ? /^(?:[^:]*:[^:]*:)?(\d+)/.exec(ran.stdout)?.[1] : undefined;
  return id === undefined ? undefined : Number(id);
}
