import { isTsserveError } from "@tsserve/config";
import { makeTemporaryFolder } from "@tsserve/testing";
import { afterAll, describe, expect, test } from "vitest";
import { loadFunction } from "./load-function.ts";

const compiled = `Object.defineProperty(exports, "__esModule", { value: true });`;
const temporary = makeTemporaryFolder({
  "package.json": '{ "type": "module" }',
  "app.js": `
    export const makeApp = () => "made";
    export function other() { return "other"; }
    export default () => "default";
    export const text = "a text", nothing = null, number = 7, list = [], app = { isApp: true };
    export const soon = Promise.resolve({ isApp: true }), broken = Promise.reject(new Error("no app today"));
    broken.catch(() => {});
    export const constructor = undefined;
  `,
  "default-only.js": `export default (...args) => args.length;`,
  "object-default.js": `export default { makeApp: () => "inner", toString: () => "mine" };`,
  "no-default.js": `export const makeAp = () => 1;`,
  "throws.js": `throw new TypeError("at load");`,
  "throws-text.js": `throw "a text";`,
  "syntax.js": `export const a = 1;\nexport const b = ;\n`,
  "missing-import.js": `import "./not-there.js";`,
  "plain.cjs": `exports.makeApp = () => "from cjs"; exports.other = 1;`,
  "module-exports.cjs": `module.exports = () => "whole";`,
  "whole-app.cjs": `module.exports = { isApp: true };`,
  "compiled.cjs": `${compiled} exports.default = () => "compiled default"; exports.makeApp = undefined;`,
  "compiled-named.cjs": `${compiled} exports.makeApp = () => "compiled name";`,
});
afterAll(() => temporary.remove());

const isApp = (value: unknown): boolean => typeof value === "object" && value !== null && "isApp" in value;
const load = (written: string, defaultName?: string, isAppValue?: (value: unknown) => boolean) =>
  loadFunction(written, "app.ini:2: [app:main] factory", temporary.path, defaultName, isAppValue);

async function failureOf(written: string, defaultName?: string, isAppValue?: (value: unknown) => boolean): Promise<string> {
  const thrown: unknown = await load(written, defaultName, isAppValue).catch((error: unknown) => error);
  if (!isTsserveError(thrown)) throw new Error(`${written} gave ${String(thrown)}`);
  return `${thrown.code}: ${thrown.message}`;
}

describe("what is named", () => {
  test.each([
    ["./app.js:other", undefined, "other"],
    ["./app.js", "makeApp", "made"],
    ["./app.js", "default", "default"],
    [" ./app.js:makeApp ", undefined, "made"],
    ["./default-only.js", "makeApp", 0],
    ["./object-default.js", "makeApp", "inner"],
    ["./object-default.js:makeApp", undefined, "inner"],
    ["./plain.cjs", "makeApp", "from cjs"],
    ["./plain.cjs:makeApp", undefined, "from cjs"],
    ["./module-exports.cjs", "makeApp", "whole"],
    ["./compiled.cjs", "makeApp", "compiled default"],
    ["./compiled-named.cjs", "makeApp", "compiled name"],
  ])("%s, by default %s, is loaded", async (written, defaultName, expected) => {
    expect((await load(written, defaultName)).call()).toBe(expected);
  });

  test("comes with everything that its module exports", async () => {
    const { module } = await load("./app.js:makeApp");
    expect(Object.keys(module)).toEqual(expect.arrayContaining(["makeApp", "other", "default", "text"]));
  });

  test.each(["tsserve/http", "tsserve/thrift", "tsserve/queue"])(
    "%s is that of this installation, whatever the folder has",
    async (written) => {
      expect(typeof (await loadFunction(written, "place", "/nowhere", "makeServer")).call).toBe("function");
    },
  );
});

describe("an app in the place of a function", () => {
  test.each([
    ["./app.js:app", undefined],
    ["./app.js:soon", undefined],
    ["./app.js", "app"],
    ["./whole-app.cjs", "makeApp"],
  ])("%s is given as it is, or as it is after a while", async (written, defaultName) => {
    expect((await load(written, defaultName, isApp)).call()).toEqual({ isApp: true });
  });

  test("is none where nobody asks for one", async () => {
    expect(await failureOf("./app.js:app")).toContain(`an object`);
  });

  test("that fails to come is the failure that it has", async () => {
    await expect(load("./app.js:broken", undefined, isApp)).rejects.toThrow("no app today");
  });
});

describe("what can't be loaded is told with its place", () => {
  test.each<[string, string | undefined, string, RegExp]>([
    [
      "a name that is not exported",
      "makeApp",
      "./no-default.js",
      /app\.ini:2: \[app:main\] factory: .*no-default\.js.*"makeApp".*did you mean "makeAp"/,
    ],
    ["a name that only every object has", undefined, "./app.js:toString", /"toString"/],
    ["a name that only every object has, of CommonJS", undefined, "./plain.cjs:toString", /"toString"/],
    ["an export without a value", undefined, "./app.js:constructor", /"constructor"/],
    ["a text", undefined, "./app.js:text", /"text" of \.\/app\.js.*a string/],
    ["a number", undefined, "./app.js:number", /a number/],
    ["null, which is as good as nothing", undefined, "./app.js:nothing", /"nothing"/],
    ["a list", undefined, "./app.js:list", /an object/],
    ["no name, where there has to be one", undefined, "./app.js", /MODULE:FUNCTION/],
    ["a name that can't be one", "makeApp", "./app.js:make-app", /make-app/],
    ["a name that is empty", "makeApp", "./app.js:", /\.\/app\.js:/],
    ["a module that is not there", "makeApp", "./ap.js", /ap\.js.*did you mean "app\.js"/],
    ["a package that is not installed", "makeApp", "nothing-like-it", /"nothing-like-it" is not installed/],
    ["a module that throws", "makeApp", "./throws.js", /at load/],
    ["a module that throws a text", "makeApp", "./throws-text.js", /a text/],
    ["a module that is no JavaScript", "makeApp", "./syntax.js", /syntax\.js:2/],
    ["a module that imports what is not there", "makeApp", "./missing-import.js", /not-there\.js/],
  ])("%s", async (_, defaultName, written, expected) => {
    const message = await failureOf(written, defaultName);
    expect(message).toContain("app.ini:2: [app:main] factory");
    expect(message).toMatch(expected);
  });
});
