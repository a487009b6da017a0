/**
 * Imports a module by its URL, or by the name of a package of ours. It stands alone because what imports by itself can't be compiled
 * before (`compile-cache/compiled-modules.ts`).
 */
export function importModule(specifier: string): Promise<unknown> {
  return import(specifier);
}
