import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
  readonly exports?: Readonly<Record<string, { readonly types?: string } | string>>;
}

/**
 * Packages that the public declarations of a package import, though a stranger need not have them: optional ones, and those that
 * the manifest does not name. A compiler that checks declarations (`skipLibCheck: false`) refuses what it can't find.
 *
 * @param folder of the package, which is built
 * @returns sentences
 */
export function undeclaredTypes(folder: string): string[] {
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
  const isOptional = (name: string): boolean => manifest.peerDependenciesMeta?.[name]?.optional === true;
  const sure = new Set(
    [...Object.keys(manifest.dependencies ?? {}), ...Object.keys(manifest.peerDependencies ?? {})].filter((name) => !isOptional(name)),
  );
  const entries = Object.values(manifest.exports ?? {}).flatMap((target) => (typeof target === "string" ? [] : (target.types ?? [])));
  const files = new Set(entries.map((entry) => join(folder, entry)));
  const problems: string[] = [];
  // What is added while they are walked is walked, too.
  for (const file of files)
    for (const imported of importsOf(file)) {
      if (imported.startsWith(".")) files.add(join(dirname(file), imported.replace(/\.[jt]s$/, ".d.ts")));
      else if (!imported.startsWith("node:") && !sure.has(packageOf(imported)))
        problems.push(`${file} imports types of ${packageOf(imported)}, which need not be installed`);
    }
  return problems;
}

function importsOf(file: string): string[] {
  if (!existsSync(file)) throw new Error(`there is no ${file}: npm run build`);
  const pattern = /(?:from |import\(|^import )"([^"]+)"/gm;
  return [...readFileSync(file, "utf8").matchAll(pattern)].map(([, imported = ""]) => imported);
}

function packageOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}
