import { ConfigurationError, isConfigurationError, type Problem, type ResolvedSection } from "@tsserve/config";

/** Runs a parse; its problems get their place in the file, unless they have one. */
export function located<T>(section: ResolvedSection | undefined, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!isConfigurationError(error) || section === undefined) throw error;
    throw new ConfigurationError(error.problems.flatMap((problem) => (problem.file === undefined ? section.locate([problem]) : [problem])));
  }
}

/** Runs a parse; its problems are added to those that were found before, and what it would have given is not there. */
export function gather<T>(problems: Problem[], parse: () => T, section?: ResolvedSection): T | undefined {
  try {
    return located(section, parse);
  } catch (error) {
    if (!isConfigurationError(error)) throw error;
    for (const problem of error.problems) problems.push(problem);
    return undefined;
  }
}

/** The same key may be found wanting twice: by what it is for, and by its spec. The first word is the clearer. In the order of the file. */
export function distinct(problems: readonly Problem[]): Problem[] {
  const byPlace = new Map<string, Problem>();
  for (const problem of problems) {
    const place = `${problem.section} ${problem.key} ${problem.line} ${problem.key === "" ? problem.message : ""}`;
    if (!byPlace.has(place)) byPlace.set(place, problem);
  }
  return [...byPlace.values()].sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
}
