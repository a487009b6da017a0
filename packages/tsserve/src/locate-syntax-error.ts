import { runBriefly, stackText } from "@tsserve/config";

/**
 * Where a syntax error is: Node keeps file and line of one in an ES module to itself until it dies of
 * it. So a second process does. `undefined` for other errors, and where the error tells by itself.
 */
export function locateSyntaxError(error: unknown, url: string): string | undefined {
  if (!(error instanceof SyntaxError) || !stackText(error).startsWith(`SyntaxError: ${error.message}\n    at compileSourceTextModule`))
    return undefined;
  const ran = runBriefly(process.execPath, ["--input-type=module", "-e", `import ${JSON.stringify(url)};`]);
  const report = /^(?:file:.*:\d+\n[\s\S]*?\n)SyntaxError: .*$/m.exec(ran?.stderr ?? "")?.[0];
  return report?.replace(/^file:\/\//, "");
}
