import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { constants, Script } from "node:vm";
import { moduleInternals as Module, type CompilingModule } from "./module-internals.ts";
import { markOf, type CompiledModule, type SourceMark } from "./pack.ts";

/** What has been compiled since, and is to be kept for the next start. */
interface Compiled {
  readonly script: Script;
  readonly source: SourceMark;
  /** Whether V8 made it now, rather than from what was kept. */
  readonly isNew: boolean;
}

/** What was compiled before anybody has asked for it. */
interface Ahead extends Compiled {
  readonly content: string;
}

type Compile = CompilingModule["_compile"];

/**
 * Compiles CommonJS modules with what V8 made of them at an earlier start. Node does so itself from 22.8 on, from a file for each
 * module, and not ahead of time. Whatever is not as it was compiled then is compiled anew, and whatever is not a plain CommonJS
 * script is left to Node.
 *
 * @see https://github.com/nodejs/node/blob/v20.x/lib/internal/modules/cjs/loader.js `Module.prototype._compile`
 */
export class CompiledModules {
  #known: ReadonlyMap<string, CompiledModule>;
  /** Those that an earlier start has loaded, in its order, and that have not been looked at yet. */
  #next: Iterator<string>;
  readonly #ahead = new Map<string, Ahead>();
  readonly #compiled = new Map<string, Compiled>();
  readonly #byNode: Compile = Module.prototype._compile;
  readonly #compile: Compile;
  #misses = 0;

  constructor(known: ReadonlyMap<string, CompiledModule>) {
    this.#known = known;
    this.#next = known.keys();
    const scriptOf = (content: string, filename: string): Script | undefined => this.#scriptOf(content, filename);
    const byNode = this.#byNode;
    this.#compile = function (this: CompilingModule, content, filename, format) {
      const script = format === "module" ? undefined : scriptOf(content, filename);
      return script === undefined ? byNode.call(this, content, filename, format) : run(script, this, filename);
    };
    Module.prototype._compile = this.#compile;
  }

  /**
   * Compiles the next module that an earlier start has loaded and this one has not, without running it: for while there is nothing
   * else to do.
   *
   * @returns whether there may be another one
   */
  compileAhead(): boolean {
    for (let next = this.#next.next(); next.done !== true; next = this.#next.next()) {
      const filename = next.value;
      if (this.#compiled.has(filename)) continue;
      const content = textOf(filename);
      const compiled = content === undefined ? undefined : this.#compileScript(content, filename);
      if (content === undefined || compiled === undefined) continue;
      this.#ahead.set(filename, { ...compiled, content });
      return true;
    }
    return false;
  }

  /** Leaves the rest to Node, and forgets what it knows. */
  close(): void {
    this.#known = new Map();
    this.#next = this.#known.keys();
    this.#ahead.clear();
    if (!this.hasNews) this.#compiled.clear();
    if (Module.prototype._compile === this.#compile) Module.prototype._compile = this.#byNode;
  }

  /** Whether another start would gain from what this one has compiled. */
  get hasNews(): boolean {
    return this.#misses > 0;
  }

  /** One after the other, because each takes its time. */
  *take(): Generator<CompiledModule> {
    for (const [path, { script, source }] of this.#compiled) {
      this.#compiled.delete(path);
      yield { path, source, data: script.createCachedData() };
    }
  }

  #scriptOf(content: string, filename: string): Script | undefined {
    const ahead = this.#ahead.get(filename);
    this.#ahead.delete(filename);
    const compiled = ahead?.content === content ? ahead : this.#compileScript(content, filename);
    if (compiled === undefined) return undefined;
    if (compiled.isNew) this.#misses += 1;
    this.#compiled.set(filename, compiled);
    return compiled.script;
  }

  /** @returns `undefined` for what Node has to compile itself */
  #compileScript(content: string, filename: string): Compiled | undefined {
    const source = markOf(content);
    const known = this.#known.get(filename);
    const isSame = known?.source.length === source.length && known.source.checksum === source.checksum;
    // The text of what was kept has been looked through by the start that kept it.
    if (!isSame && isForNode(content, filename)) return undefined;
    const cachedData = isSame ? known.data : undefined;
    try {
      const script = new Script(Module.wrap(content), {
        filename,
        // What stands before the module's first character is not the module's.
        columnOffset: -wrapperLength,
        ...(cachedData === undefined ? {} : { cachedData }),
        importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
      });
      return { script, source, isNew: cachedData === undefined || script.cachedDataRejected === true };
    } catch {
      // An ES module in a package that does not tell so, or a mistake, which Node shows better.
      return undefined;
    }
  }
}

/** As Node reads a module; `undefined` where it is not there any more. */
function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

const wrapperLength = Module.wrap("").indexOf("\n");

/**
 * A source map of the user's own is Node's to read; those of installed packages are left alone, because to read them takes longer than
 * to compile. And a script that imports while it runs has Node warn of its own default loader, which scripts of `node:vm` take on
 * Node 20: what looks like it outside of comments is Node's to compile.
 */
function isForNode(content: string, filename: string): boolean {
  if (!filename.includes("/node_modules/") && content.includes("sourceMappingURL=")) return true;
  return content.includes("import(") && importing.test(content);
}

const importing = /^(?!\s*(?:\*|\/\/|\/\*)).*\bimport\(/m;

type Wrapped = (
  this: unknown,
  exports: unknown,
  require: NodeJS.Require,
  module: CompilingModule,
  filename: string,
  folder: string,
) => unknown;

function run(script: Script, module: CompilingModule, filename: string): unknown {
  const wrapped = script.runInThisContext() as Wrapped;
  return wrapped.call(module.exports, module.exports, requireOf(module), module, filename, dirname(filename));
}

/** As Node makes it for each module. */
function requireOf(module: CompilingModule): NodeJS.Require {
  const require = ((id: string): unknown => module.require(id)) as NodeJS.Require;
  const resolve = ((request: string, options?: object) =>
    Module._resolveFilename(request, module, false, options)) as NodeJS.RequireResolve;
  resolve.paths = (request) => Module._resolveLookupPaths(request, module);
  require.resolve = resolve;
  require.main = process.mainModule;
  require.extensions = Module._extensions;
  require.cache = Module._cache;
  return require;
}
