import { ConfigurationError, isConfigurationError, learnerOf, withLearner, type Problem, type ResolvedSection } from "@tsserve/config";

type Values = Readonly<Record<string, string>>;

/**
 * Parses the keys of a prefix that may stand in the server's section or in the app's; the server's win.
 *
 * @throws {ConfigurationError} whose problems have their places
 */
export function eitherSection<T>(
  prefix: string,
  server: ResolvedSection,
  app: ResolvedSection | undefined,
  parse: (values: Values) => T,
): T {
  const own = keysOf(server, prefix);
  try {
    return parse(withLearner({ ...(app && keysOf(app, prefix)), ...own }, learnerOf(server.values)));
  } catch (error) {
    if (!isConfigurationError(error)) throw error;
    const place = (problem: Problem): Problem[] => (Object.hasOwn(own, problem.key) || app === undefined ? server : app).locate([problem]);
    throw new ConfigurationError(error.problems.flatMap(place));
  }
}

function keysOf({ values }: ResolvedSection, prefix: string): Values {
  return Object.fromEntries(Object.entries(values).filter(([key]) => key.startsWith(prefix)));
}
