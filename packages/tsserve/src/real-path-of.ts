import { realpathSync } from "node:fs";

/** Where a path leads to, through links; `undefined` where it leads nowhere. */
export function realPathOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
