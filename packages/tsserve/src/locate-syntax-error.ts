const timeoutMs = 5000;

/**
 * Where a syntax error is: Node keeps file and line of one in an ES module to itself until it dies of
 * it. So a second process does. `undefined` for other errors, and where the error tells by itself.
 */
export function locateSyntaxError(error: unknown, url: string): string | undefined {
  if (!(error instanceof SyntaxError) || !error.stack?.startsWith(`SyntaxError: ${error.message}\n    at compileSourceTextModule`))
    return undefined;
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  const program = `import ${JSON.stringify(url)};`;
  try {
    const { stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8", timeout: timeoutMs });
    const report = /^(?:file:.*:\d+\n[\s\S]*?\n)SyntaxError: .*$/m.exec(stderr)?.[0];
    return report?.replace(/^file:\/\//, "");
  } catch {
    // Node may forbid other processes (--permission).
    return undefined;
  }
}
