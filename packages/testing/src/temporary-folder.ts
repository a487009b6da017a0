import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export interface TemporaryFolder extends Disposable {
  readonly path: string;
  /** Writes a file, its folders too; gives its path. */
  write(name: string, content: string | Uint8Array): string;
  /** Also done by `using`. */
  remove(): void;
}

/** A folder of its own for one test. */
export function makeTemporaryFolder(files: Readonly<Record<string, string | Uint8Array>> = {}): TemporaryFolder {
  const path = mkdtempSync(join(tmpdir(), "tsserve-test-"));
  const remove = (): void => rmSync(path, { recursive: true, force: true });
  const folder: TemporaryFolder = {
    path,
    write: (name, content) => {
      const file = join(path, name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
      return file;
    },
    remove,
    [Symbol.dispose]: remove,
  };
  for (const [name, content] of Object.entries(files)) folder.write(name, content);
  return folder;
}
