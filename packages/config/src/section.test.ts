import { expect, test } from "vitest";
import { parseIni } from "./ini.ts";
import { resolveSection } from "./section.ts";

const text = "[DEFAULT]\nregion = $REGION\nkey = default\n[a]\nkey = own\nPATH = mine\n";

test("a section's own value wins over [DEFAULT], and a key keeps its own value whatever the environment has", () => {
  const section = resolveSection(parseIni(text), "a", { REGION: "eu-1", PATH: "/bin", key: "x" });
  expect(section.values).toEqual({ region: "eu-1", key: "own", PATH: "mine" });
  expect([section.isInherited("region"), section.isInherited("key"), section.isInherited("PATH")]).toEqual([true, false, false]);
  expect(Object.isFrozen(section.values)).toBe(true);
});

test("a reference that is not set is a problem with its place, and sections that are not used have none", () => {
  expect(resolveSection(parseIni(text, "x.ini"), "a", {}).problems).toMatchObject([
    { file: "x.ini", line: 2, section: "DEFAULT", key: "region", value: "$REGION" },
  ]);
  expect(resolveSection(parseIni("[a]\n[b]\nk = $UNSET"), "a", {}).problems).toEqual([]);
});

test("a missing section names those that there are, and [DEFAULT] is none of them", () => {
  expect(() => resolveSection(parseIni(text, "x.ini"), "app:a", {})).toThrow("x.ini: the section [app:a] is missing; the file has [a]");
  expect(() => resolveSection(parseIni(text), "DEFAULT", {})).toThrow("is missing");
});
