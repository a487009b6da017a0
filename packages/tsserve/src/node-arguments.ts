/** At an address that no machine has (RFC 5737): where a SIGUSR1 comes before our first instruction, Node can't open its inspector. */
const inspectorGuard = "--inspect-port=192.0.2.1:9229";

/**
 * With which arguments Node runs our own children: those of this process, and the inspector shut unless somebody wants it. After the two
 * dashes Node leaves our own options alone, such as --env-file, which it takes for itself wherever else it stands.
 */
export function nodeArguments(execArgv: readonly string[], nodeOptions: string | undefined): string[] {
  const isSaid = [...execArgv, nodeOptions ?? ""].some((each) => each.includes("--inspect"));
  return [...execArgv, ...(isSaid ? [] : [inspectorGuard]), "--"];
}
