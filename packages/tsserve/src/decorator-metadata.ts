import { readFileSync } from "node:fs";

/** What we use of the `typescript` package, up to version 6: later ones have no compiler in JavaScript. */
interface TypeScript {
  readonly transpileModule?: (source: string, options: object) => { readonly outputText: string };
  readonly parseConfigFileTextToJson?: (file: string, text: string) => { readonly config?: { readonly compilerOptions?: object } };
}

/** What we use of @swc/core. */
interface Swc {
  readonly transformSync?: (source: string, options: object) => { readonly code: string };
}

/** Whether a tsconfig asks for the types of decorated parts to be written. Comments and trailing commas keep it from being JSON. */
export function wantsMetadata(tsconfig: string): boolean {
  try {
    return /"emitDecoratorMetadata"\s*:\s*true/.test(readFileSync(tsconfig, "utf8"));
  } catch {
    return false;
  }
}

/** Compiles a file to CommonJS with the app's own @swc/core or TypeScript; `undefined` where it has neither. */
export function compileWithMetadata(require: NodeJS.Require, tsconfig: string): ((filename: string) => string) | undefined {
  const swc = tryRequire(require, "@swc/core") as Swc | undefined;
  if (typeof swc?.transformSync === "function") {
    const { transformSync } = swc;
    const jsc = {
      parser: { syntax: "typescript", decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true },
      target: "es2022",
      keepClassNames: true,
    };
    return (filename) =>
      transformSync(readFileSync(filename, "utf8"), { filename, swcrc: false, jsc, module: { type: "commonjs" }, sourceMaps: "inline" })
        .code;
  }
  const typescript = tryRequire(require, "typescript") as TypeScript | undefined;
  if (typeof typescript?.transpileModule !== "function") return undefined;
  const { transpileModule } = typescript;
  const own = typescript.parseConfigFileTextToJson?.(tsconfig, readFileSync(tsconfig, "utf8")).config?.compilerOptions ?? {};
  const compilerOptions = {
    ...own,
    module: 1,
    moduleResolution: undefined,
    inlineSourceMap: true,
    inlineSources: true,
    sourceMap: false,
    declaration: false,
    noEmit: false,
  };
  return (fileName) => transpileModule(readFileSync(fileName, "utf8"), { fileName, compilerOptions }).outputText;
}

function tryRequire(require: NodeJS.Require, name: string): unknown {
  try {
    return require(name);
  } catch {
    return undefined;
  }
}
