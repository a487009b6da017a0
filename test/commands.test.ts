import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { makeTemporaryFolder, spawnTsserve, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { run } from "./support/run.ts";
import { iniOf, serve } from "./support/serve.ts";

const packageFolder = dirname(createRequire(import.meta.url).resolve("tsserve/package.json"));

describe("check", () => {
  test("prints the settings as they will be, secrets masked, defaults as comments, and binds nothing", async () => {
    const more = "[DEFAULT]\nregion = eu-1";
    const config = { greeting: "Hello, ${NAME:-stranger}", db_password: "hunter2", url: "postgres://me:hunter2@db/app" };
    const { code, stdout, stderr } = await run(
      { "app.ini": iniOf({ config, more, server: { drain_time: "5 seconds" } }) },
      ["check", "app.ini"],
      { env: { NAME: "Joe" } },
    );
    expect(stderr).toBe("");
    expect(stdout).toContain("[app:main]\nregion = eu-1\n");
    expect(stdout).toContain("[server:main]\nfactory = tsserve/http\ndrain_time = 5 seconds\n");
    expect(stdout).toContain("; stop_timeout = 10 seconds\n");
    expect(stdout).toContain("greeting = Hello, Joe\n");
    expect(stdout).not.toContain("hunter2");
    expect(code).toBe(0);
  });

  test("what it prints is a configuration again", async () => {
    const { stdout } = await run({ "app.ini": iniOf({ config: { text: "a # b ; c = d" } }) }, ["check", "app.ini"]);
    const again = await run({ "app.ini": stdout }, ["check", "app.ini"]);
    expect([again.stderr, again.stdout]).toEqual(["", stdout]);
  });

  test("a broken app: exit code 3, with its stack", async () => {
    const { code, stderr } = await run({ "app.ini": iniOf({ app: "no-such.js" }) }, ["check", "app.ini"]);
    expect(stderr).toMatch(/^app\.ini:4: \[app:main\] factory: module not found/);
    expect(code).toBe(3);
  });
});

describe("routes", () => {
  test("of a Fastify app", async () => {
    const { code, stdout } = await run({ "app.ini": iniOf({}) }, ["routes", "app.ini"]);
    expect(
      stdout
        .trimEnd()
        .split("\n")
        .map((line) => line.split(/ +/)),
    ).toEqual(
      expect.arrayContaining([
        ["GET", "/"],
        ["GET", "/hello/:name"],
        ["POST", "/echo"],
      ]),
    );
    expect(code).toBe(0);
  });

  test("of an Express and of a Hono app", async () => {
    expect((await run({ "app.ini": iniOf({ app: "express.js" }) }, ["routes", "app.ini"])).stdout).toBe("GET  /\nGET  /users/:id\n");
    expect((await run({ "app.ini": iniOf({ app: "hono.js" }) }, ["routes", "app.ini"])).stdout).toBe("GET   /\nPOST  /users\n");
  });
});

describe("script", () => {
  const script =
    "export const greet = (config, args) => console.log(config.name, args.join('|'));\nexport const fail = async () => { throw new Error('this script fails'); };\n";
  const files = { "app.ini": iniOf({ config: { name: "joe" } }), "scripts.mjs": script };

  test("runs a function with the app's configuration and the arguments, options and all", async () => {
    const { code, stdout } = await run(files, ["script", "app.ini", "./scripts.mjs:greet", "a", "--debug", "-x"]);
    expect([code, stdout]).toEqual([0, "joe a|--debug|-x\n"]);
  });

  test("that throws: exit code 1, with its stack", async () => {
    const { code, stderr } = await run(files, ["script", "app.ini", "./scripts.mjs:fail"]);
    expect(stderr).toMatch(/threw:\nError: this script fails\n {4}at [^\n]*scripts\.mjs:2/);
    expect(code).toBe(1);
  });

  test("that is not there: exit code 3", async () => {
    const { code, stderr } = await run(files, ["script", "app.ini", "./scripts.mjs:greed"]);
    expect(stderr).toBe('the command line: ./scripts.mjs does not export "greed", did you mean "greet"?; it exports fail, greet\n');
    expect(code).toBe(3);
  });
});

test("shell: a REPL with app, config and context", async () => {
  const folder = makeTemporaryFolder({ "app.ini": iniOf({ config: { name: "joe" } }) });
  try {
    const child = spawn(process.env["TSSERVE_TEST_NODE"] ?? process.execPath, [join(packageFolder, "bin/tsserve.js"), "shell", "app.ini"], {
      cwd: folder.path,
      env: { ...process.env, TSSERVE_HISTORY: join(folder.path, "history") },
    });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.stdin.write("config.name + '!' + typeof app.get + Object.keys(context).includes('log')\n");
    await until("the answer", () => output.includes("joe!functiontrue"), { describe: () => output });
    child.stdin.end(".exit\n");
    const [code] = (await once(child, "exit")) as [number];
    expect(code).toBe(0);
  } finally {
    folder.remove();
  }
});

describe("help and version", () => {
  test("--version", async () => {
    const { version } = JSON.parse(readFileSync(join(packageFolder, "package.json"), "utf8")) as { version: string };
    expect((await run({}, ["--version"])).stdout).toMatch(new RegExp(`^tsserve ${version.replaceAll(".", "\\.")} \\(Node v\\d+`));
  });

  test("--help names every command and option, in lines that fit a screen", async () => {
    const { code, stdout } = await run({}, ["--help"]);
    for (const name of ["serve", "check", "routes", "script", "shell", "healthcheck"])
      expect(stdout).toContain(`tsserve ${name === "serve" ? "[serve]" : name} `);
    for (const option of ["--app-name", "--server-name", "--bind", "--reload", "--debug", "--log-level", "--log-format", "--env-file"])
      expect(stdout).toContain(option);
    expect(code).toBe(0);
  });

  test("COMMAND --help tells of the command", async () => {
    expect((await run({}, ["check", "--help"])).stdout).toMatch(/^tsserve check CONFIG\.ini/);
  });
});

describe("the environment", () => {
  test("TSSERVE_ variables stand for options, and the command line beats them", async () => {
    await using server = serve({
      app: "hello.js",
      bind: [],
      env: { TSSERVE_BIND: "127.0.0.1:0", TSSERVE_LOG_LEVEL: "debug" },
      config: { name: "a" },
      more: "[app:other]\nfactory = x",
    });
    expect((await fetch(await server.listening())).status).toBe(200);
    expect(server.logs().some(({ level }) => level === "debug")).toBe(true);
    await using other = serve({ env: { TSSERVE_APP_NAME: "none" }, args: ["--app-name", "main"] });
    expect((await fetch(await other.listening())).status).toBe(200);
  });

  test("--env-file gives variables to the INI file and the app; the real environment wins", async () => {
    const folder = makeTemporaryFolder({
      "app.ini": iniOf({ config: { name: "${FROM_FILE}-${FROM_BOTH}" } }),
      "my.env": "FROM_FILE=file\nFROM_BOTH=file\n# a comment\nQUOTED='a # b'\n",
    });
    try {
      await using server = spawnTsserve({
        args: ["app.ini", "--bind", "127.0.0.1:0", "--env-file", "my.env"],
        cwd: folder.path,
        env: { FROM_BOTH: "real" },
      });
      expect(await (await fetch(await server.listening())).json()).toEqual({ hello: "file-real" });
    } finally {
      folder.remove();
    }
  });

  test.each([
    [["check", "PATH/app.ini"], 0, /going on in \/\n$/],
    [["check", "app.ini"], 2, /going on in \/\ntsserve: cannot read the configuration file app\.ini: there is no such file\n/],
    [["ctl", "profle"], 2, /found "profle", did you mean "profile"\?/],
  ])("from a folder that was removed meanwhile, as an old release is: %j", async (args, expected, said) => {
    const folder = makeTemporaryFolder({ "app.ini": iniOf({}) });
    try {
      // The shell removes the folder that it is in, before it starts the command there.
      const words = [join(packageFolder, "bin/tsserve.js"), ...args].map((word) => word.replace("PATH", folder.path));
      const child = spawn("/bin/sh", ["-c", 'mkdir gone && cd gone && rmdir ../gone && exec "$@"', "sh", process.execPath, ...words], {
        cwd: folder.path,
      });
      let stderr = "";
      child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
      child.stdout.resume();
      const [code] = (await once(child, "close")) as [number];
      expect([code, stderr]).toEqual([expected, expect.stringMatching(said)]);
    } finally {
      folder.remove();
    }
  });

  test("the installed command hands --env-file to us, not to Node", async () => {
    const folder = makeTemporaryFolder({ "app.ini": iniOf({}) });
    try {
      const child = spawn(join(packageFolder, "bin/tsserve.js"), ["app.ini", "--env-file", "nope.env"], { cwd: folder.path });
      let stderr = "";
      child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
      const [code] = (await once(child, "close")) as [number];
      expect([code, stderr]).toEqual([2, "tsserve: cannot read --env-file nope.env: there is no such file\nTry tsserve --help.\n"]);
    } finally {
      folder.remove();
    }
  });
});
