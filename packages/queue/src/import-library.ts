/**
 * Imports a library by its name or URL. It stands alone because what imports by itself can't be compiled before (the command's compile
 * cache), and the rest of this package is loaded by each start of a worker.
 */
export function importLibrary(specifier: string): Promise<unknown> {
  return import(specifier);
}
