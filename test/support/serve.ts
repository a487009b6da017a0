import { fileURLToPath } from "node:url";
import { makeTemporaryFolder, spawnTsserve, type SpawnOptions, type TsserveProcess } from "@tsserve/testing";

export interface ServeOptions extends Partial<SpawnOptions> {
  /** A program of `test/fixtures/apps`; default `hello.js`. */
  readonly app?: string;
  /** Options of `[server:main]`. */
  readonly server?: Readonly<Record<string, string>>;
  /** Options of `[app:main]`. */
  readonly config?: Readonly<Record<string, string>>;
  /** More of the INI file, as it is written. */
  readonly more?: string;
  /** Where to listen; default a free port of 127.0.0.1. */
  readonly bind?: readonly string[];
}

export interface Served extends TsserveProcess {
  /** The folder of its INI file, `app.ini`. */
  readonly folder: string;
}

/** The path of a fixture. */
export function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/apps/${name}`, import.meta.url));
}

/** An INI file for one of the fixtures. */
export function iniOf({
  app = "hello.js",
  server = {},
  config = {},
  more = "",
}: Pick<ServeOptions, "app" | "server" | "config" | "more">): string {
  const lines = (options: Readonly<Record<string, string>>): string[] => Object.entries(options).map(([key, value]) => `${key} = ${value}`);
  return [
    "[server:main]",
    ...lines({ factory: "tsserve/http", ...server }),
    "[app:main]",
    ...lines({ factory: fixture(app), ...config }),
    more,
    "",
  ].join("\n");
}

/** Serves one of the fixtures with the built command. Disposing of it ends it and removes its folder. */
export function serve(options: ServeOptions = {}): Served {
  // Tests run beside each other: only one would have the exporter's default port.
  const namesExporter = [options.server, options.config].some((keys) => Object.keys(keys ?? {}).some((key) => key.startsWith("metrics.")));
  const server = namesExporter ? options.server : { ...options.server, "metrics.endpoint": "127.0.0.1:0" };
  const folder = makeTemporaryFolder({ "app.ini": iniOf({ ...options, ...(server && { server }) }) });
  const { bind = ["127.0.0.1:0"], args = [] } = options;
  const spawned = spawnTsserve({ ...options, args: ["app.ini", ...bind.flatMap((each) => ["--bind", each]), ...args], cwd: folder.path });
  return {
    ...spawned,
    folder: folder.path,
    [Symbol.asyncDispose]: async () => {
      await spawned[Symbol.asyncDispose]();
      folder.remove();
    },
  };
}
