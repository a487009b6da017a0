import { makeTemporaryFolder, spawnTsserve, type SpawnOptions } from "@tsserve/testing";

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built command to its end, in a folder with these files. */
export async function run(
  files: Readonly<Record<string, string | Uint8Array>>,
  args: readonly string[],
  options: Partial<SpawnOptions> = {},
): Promise<Finished> {
  const folder = makeTemporaryFolder(files);
  try {
    await using process = spawnTsserve({ cwd: folder.path, ...options, args });
    const { code } = await process.exited();
    const withoutFolder = (text: string): string => text.replaceAll(folder.path, "FOLDER");
    return { code, stdout: withoutFolder(process.stdout()), stderr: withoutFolder(process.stderr()) };
  } finally {
    folder.remove();
  }
}
