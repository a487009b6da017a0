import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isConfigurationError, Masker } from "@tsserve/config";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Host } from "./host.ts";
import type { OptionValues } from "./options.ts";
import { adoptEnvironment, readAppConfiguration, readConfiguration } from "./read-configuration.ts";
import { builtInSettings, serverSettings } from "./server-settings.ts";

const good = "[server:main]\nfactory = tsserve/http\n[app:main]\nfactory = ./app.js\ngreeting = $GREETING\n";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tsserve-test-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** As much of a host as reading takes. */
function host(env: Record<string, string | undefined> = {}): Host {
  return { args: [], env, cwd: folder, stdoutIsTerminal: false, masker: new Masker() } as unknown as Host;
}

function values(more: Partial<OptionValues> = {}): OptionValues {
  return { binds: [], includes: [], ...more };
}

function write(files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
}

async function messageOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "",
    (error: unknown) => (error as Error).message,
  );
}

describe("the files", () => {
  test("the environment stays as it is until the app is to see the file's variables; the real one wins", async () => {
    write({ "app.ini": good, "my.env": "GREETING=file\nOTHER=file\n" });
    const reader = host({ GREETING: "real" });
    const configuration = await readConfiguration(reader, ["app.ini"], values({ "env-file": "my.env" }));
    expect([configuration.app.values["greeting"], { ...configuration.fileEnvironment }, reader.env]).toEqual([
      "real",
      { GREETING: "file", OTHER: "file" },
      { GREETING: "real" },
    ]);
    adoptEnvironment(reader, configuration);
    expect(reader.env).toEqual({ GREETING: "real", OTHER: "file" });
  });

  test("modules are resolved from the folder of the file, the file from the working folder", async () => {
    mkdirSync(join(folder, "sub"));
    write({ "sub/app.ini": good });
    expect(await readConfiguration(host({ GREETING: "x" }), ["sub/app.ini"], values())).toMatchObject({
      file: "sub/app.ini",
      folder: join(folder, "sub"),
    });
  });

  test.each([
    [[], "expected a configuration file: tsserve CONFIG.ini"],
    [["none.ini"], "cannot read the configuration file none.ini: there is no such file"],
    [["."], "cannot read the configuration file .: it is a folder"],
    [["bytes.ini"], "cannot read the configuration file bytes.ini: it is not UTF-8 text"],
    [["app.ini", "b.ini"], "expected one configuration file, found app.ini b.ini"],
  ])("%j", async (positionals, message) => {
    write({ "app.ini": good, "bytes.ini": Buffer.from([0x5b, 0xff]) });
    expect(await messageOf(readConfiguration(host(), positionals, values()))).toBe(message);
  });

  test("what is wrong with the environment file is told by its own lines", async () => {
    write({ "app.ini": good, "my.env": "A=1\nnonsense\nB='open\n" });
    const error: unknown = await readConfiguration(host(), ["app.ini"], values({ "env-file": "my.env" })).catch(
      (thrown: unknown) => thrown,
    );
    expect(isConfigurationError(error) && error.problems.map(({ file, line }) => `${file}:${line}`)).toEqual(["my.env:2", "my.env:3"]);
  });

  test("a script needs no server", async () => {
    write({ "app.ini": "[app:main]\na = 1\n" });
    const { app } = await readAppConfiguration(host(), "app.ini", values());
    expect({ ...app.values }).toEqual({ a: "1" });
    expect(await messageOf(readAppConfiguration(host(), "app.ini", values({ "app-name": "other" })))).toContain("[app:other] is missing");
  });
});

describe("what a server factory says of its keys", () => {
  test("those of this installation are asked without the servers themselves", async () => {
    for (const written of ["tsserve/http", "tsserve/thrift", "tsserve/queue", "tsserve/http:makeServer", " tsserve/http "]) {
      expect(Object.keys(await builtInSettings(written))).toEqual(["settings", "parseSettings"]);
    }
    for (const written of ["constructor", "./server.js", "tsserve/nothing"]) expect(await builtInSettings(written)).toEqual({});
  });

  test("anyone else's module is loaded, and one that is not there is told with its place", async () => {
    write({ "server.mjs": "export const settings = { speed: Number };\nexport const makeServer = () => undefined;\n" });
    expect(Object.keys((await serverSettings("./server.mjs", "app.ini:2: [server:main] factory", folder)).settings as object)).toEqual([
      "speed",
    ]);
    expect(await messageOf(serverSettings("./none.mjs", "app.ini:2: [server:main] factory", folder))).toMatch(
      /^app\.ini:2: \[server:main\] factory: module not found/,
    );
  });
});
