let registered = false;

/**
 * Makes TypeScript modules load, where the app is one: by Node's own type stripping where it exists
 * (22.18 and later), else by tsx. Stacks of compiled code are mapped to its source.
 */
export async function supportTypeScript(url: string): Promise<void> {
  process.setSourceMapsEnabled(true);
  if (registered || nodeStripsTypes() || !/\.[cm]?ts$/.test(url)) return;
  registered = true;
  const [esm, cjs] = await Promise.all([import("tsx/esm/api"), import("tsx/cjs/api")]);
  esm.register();
  cjs.register();
}

function nodeStripsTypes(): boolean {
  return "typescript" in process.features && process.features.typescript !== false;
}
