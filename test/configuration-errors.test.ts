import { describe, expect, test } from "vitest";
import { run } from "./support/run.ts";

const app = "export const makeApp = () => (request, response) => response.end('hello');\n";
const good = "[server:main]\nfactory = tsserve/http\n[app:main]\nfactory = ./app.js\n";

interface Case {
  readonly ini?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** All of stderr, the last line break aside. */
  readonly says: string;
}

/** What is wrong, and what is said of it: readable, with the place, exit code 2, nothing bound. */
const configurationCases: Readonly<Record<string, Case>> = {
  "no such section": {
    ini: good,
    args: ["--app-name", "mian"],
    says: 'app.ini: the section [app:mian] is missing; the file has [server:main], [app:main], did you mean "app:main"?',
  },
  "an empty file": {
    ini: "",
    says: "app.ini: the section [server:main] is missing; the file has no sections\napp.ini: the section [app:main] is missing; the file has no sections",
  },
  "a line that is nothing": {
    ini: `${good}what is this\n`,
    says: 'app.ini:5: [app:main] expected "key = value", a [section] or a comment, found "what is this"',
  },
  "a key twice": {
    ini: "[server:main]\nfactory = tsserve/http\nfactory = tsserve/http\n[app:main]\nfactory = ./app.js\n",
    says: "app.ini:3: [server:main] factory: the key is already set at line 2",
  },
  "a section twice": {
    ini: `${good}[app:main]\n`,
    says: "app.ini:5: [app:main] section [app:main] is already defined at line 3",
  },
  "no factory": {
    ini: "[server:main]\n[app:main]\nfactory =\n",
    says: "app.ini:1: [server:main] factory: a value is required, such as tsserve/http\napp.ini:3: [app:main] factory: a value is required, such as ./app.js:makeApp",
  },
  "an unknown key and wrong values, all at once, in the order of the file": {
    ini: "[server:main]\nfactory = tsserve/http\ndrain_tiem = 5\nstop_timeout = soon\nmax_concurrency = ${NO_SUCH_VARIABLE}\nkeepalive_timeout = 0\naccess_log = yes\nrubbish = 1\n[logging]\nlevel = loud\n[app:main]\nfactory = ./app.js\n",
    says: [
      'app.ini:3: [server:main] drain_tiem: unknown key, did you mean "drain_time"?',
      'app.ini:4: [server:main] stop_timeout: expected a number and a unit, such as 30 seconds, or a number of seconds, found "soon"',
      'app.ini:5: [server:main] max_concurrency: the environment variable NO_SUCH_VARIABLE is not set (set it, or give a default: ${NO_SUCH_VARIABLE:-…}), found "${NO_SUCH_VARIABLE}"',
      'app.ini:6: [server:main] keepalive_timeout: expected more than 0, found "0"',
      'app.ini:7: [server:main] access_log: expected true, false, or the path of a file such as /var/log/app/access.log or ./access.log, found "yes"',
      "app.ini:8: [server:main] rubbish: unknown key, expected one that this server knows",
      'app.ini:10: [logging] level: expected one of trace, debug, info, warn, error, fatal, silent, found "loud"',
    ].join("\n"),
  },
  "two settings that contradict each other": {
    ini: "[server:main]\nfactory = tsserve/http\nheader_timeout = 5 minutes\nrequest_timeout = 10\n[app:main]\nfactory = ./app.js\n",
    says: 'app.ini:3: [server:main] header_timeout: expected at most request_timeout (10000 ms), since the head is a part of the request, found "5 minutes"',
  },
  "what the app's own parseConfig finds": {
    ini: "[server:main]\nfactory = tsserve/http\n[app:main]\nfactory = ./parses.js\nttl = soon\n",
    says: 'app.ini:5: [app:main] ttl: expected a number and a unit, such as 30 seconds, found "soon"\napp.ini:3: [app:main] hosts: a value is required, but the key is missing',
  },
};

const usageCases: Readonly<Record<string, Case>> = {
  "no file": { args: [], says: "tsserve: expected a configuration file: tsserve CONFIG.ini" },
  "a file that does not exist": { args: ["nope.ini"], says: "tsserve: cannot read the configuration file nope.ini: there is no such file" },
  "a folder": { args: ["."], says: "tsserve: cannot read the configuration file .: it is a folder" },
  "two files": { args: ["app.ini", "b.ini"], says: "tsserve: expected one configuration file, found app.ini b.ini" },
  "an unknown option": { args: ["app.ini", "--bnid", ":1"], says: 'tsserve: unknown option --bnid, did you mean "--bind"?' },
  "an option of another command": { args: ["check", "app.ini", "--reload"], says: "tsserve: unknown option --reload" },
  "an unknown command": { args: ["serv", "app.ini"], says: 'tsserve: unknown command "serv", did you mean "serve"?' },
  "an option without its value": { args: ["app.ini", "--bind"], says: "tsserve: --bind lacks its value" },
  "a value for a switch": { args: ["app.ini", "--debug=yes"], says: 'tsserve: --debug takes no value, found "yes"' },
  "a wrong endpoint": {
    args: ["app.ini", "--bind", "localhost:99999"],
    says: 'tsserve: --bind: expected a port of 0 to 65535, found "localhost:99999"',
  },
  "a wrong log level": {
    args: ["app.ini", "--log-level", "loud"],
    says: 'tsserve: --log-level: expected one of trace, debug, info, warn, error, fatal, silent, found "loud"',
  },
  "a wrong environment variable": {
    args: ["app.ini"],
    env: { TSSERVE_DEBUG: "maybe" },
    says: 'tsserve: TSSERVE_DEBUG: expected true or false, found "maybe"',
  },
  "an environment file that does not exist": {
    args: ["app.ini"],
    env: { TSSERVE_ENV_FILE: "nope.env" },
    says: "tsserve: cannot read --env-file nope.env: there is no such file",
  },
  "a health check of an unknown kind": {
    args: ["healthcheck", "htp", "x"],
    says: "tsserve: expected tsserve healthcheck http|thrift ENDPOINT",
  },
  "a health check of nothing": {
    args: ["healthcheck"],
    says: "tsserve: expected tsserve healthcheck http|thrift ENDPOINT, or tsserve healthcheck CONFIG.ini",
  },
};

const parses =
  'import { parseConfig, timespan, string } from "tsserve";\nexport const makeApp = (config) => parseConfig(config, { ttl: timespan, hosts: string });\n';

describe("a wrong configuration", () => {
  for (const [name, { ini = good, args = [], env = {}, says }] of Object.entries(configurationCases)) {
    for (const command of ["serve", "check"]) {
      test(`${name}: ${command} tells, and exits 2`, async () => {
        const { code, stdout, stderr } = await run(
          { "app.ini": ini, "app.js": app, "parses.js": withPackages(parses) },
          [command, "app.ini", ...args],
          { env },
        );
        expect(stderr.trimEnd()).toBe(says);
        expect(stdout).toBe("");
        expect(code).toBe(2);
      });
    }
  }

  test("bytes that are no UTF-8 text: exit code 2", async () => {
    const { code, stderr } = await run({ "app.ini": Buffer.from([0x5b, 0xff, 0xfe]) }, ["app.ini"]);
    expect(stderr).toBe("tsserve: cannot read the configuration file app.ini: it is not UTF-8 text\nTry tsserve --help.\n");
    expect(code).toBe(2);
  });
});

describe("a wrong command line", () => {
  for (const [name, { args = [], env = {}, says }] of Object.entries(usageCases)) {
    test(`${name}: exit code 2`, async () => {
      const { code, stdout, stderr } = await run({ "app.ini": good, "app.js": app }, args, { env });
      expect(stderr.trimEnd()).toBe(`${says}\nTry tsserve --help.`);
      expect(stdout).toBe("");
      expect(code).toBe(2);
    });
  }
});

/** A file of a temporary folder finds no packages: they are named by where they are. */
function withPackages(source: string): string {
  return source.replace(/from "(tsserve)"/g, (_, name: string) => `from ${JSON.stringify(import.meta.resolve(name))}`);
}

describe("[DEFAULT]", () => {
  const inherits =
    "[DEFAULT]\nregion = eu-1\nstop_timeout = 7\n[server:main]\nfactory = tsserve/http\n[logging]\nlevel = info\n[app:main]\nfactory = ./app.js\n";

  test("may hold what only some sections know", async () => {
    const { code, stdout, stderr } = await run({ "app.ini": inherits, "app.js": app }, ["check", "app.ini"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^\[server:main\]\nstop_timeout = 7\n/);
    expect(stdout).toContain("[app:main]\nregion = eu-1\n");
  });

  test("what is wrong in it is told once, with its own place", async () => {
    const { code, stderr } = await run({ "app.ini": inherits.replace("eu-1", "${NO_REGION}").replace("= 7", "= soon"), "app.js": app }, [
      "app.ini",
    ]);
    expect(stderr.trimEnd().split("\n")).toEqual([
      expect.stringMatching(/^app\.ini:2: \[DEFAULT\] region: the environment variable NO_REGION is not set/),
      expect.stringMatching(/^app\.ini:3: \[DEFAULT\] stop_timeout: expected a number and a unit/),
    ]);
    expect(code).toBe(2);
  });
});

describe("with workers, nothing is bound before all is checked", () => {
  const cases: Readonly<Record<string, readonly [keys: string, says: string]>> = {
    "an unknown key": ["drain_tiem = 5", 'app.ini:4: [server:main] drain_tiem: unknown key, did you mean "drain_time"?'],
    "a value of the server's own": [
      "client_max_size = big",
      'app.ini:4: [server:main] client_max_size: expected a size such as 512, 64K or 10M, found "big"',
    ],
    "two settings that contradict each other": [
      "header_timeout = 5 minutes\nrequest_timeout = 10",
      'app.ini:4: [server:main] header_timeout: expected at most request_timeout (10000 ms), since the head is a part of the request, found "5 minutes"',
    ],
    "a master's own": ["max_memory = lots", 'app.ini:4: [server:main] max_memory: expected a size such as 512, 64K or 10M, found "lots"'],
  };
  for (const [name, [keys, says]] of Object.entries(cases)) {
    test(name, async () => {
      const ini = good.replace("tsserve/http", `tsserve/http\nworkers = 2\n${keys}`);
      const { code, stdout, stderr } = await run({ "app.ini": ini, "app.js": app }, ["app.ini", "--bind", "127.0.0.1:0"]);
      expect(stderr.trimEnd()).toBe(says);
      // A master that had begun would have logged where it listens.
      expect(stdout).toBe("");
      expect(code).toBe(2);
    });
  }

  test("a server factory of somebody else's, whose module tells its keys", async () => {
    const server =
      "export const settings = { speed: (text) => Number(text) };\nexport const makeServer = () => { throw new Error('not reached'); };\n";
    const ini = good.replace("tsserve/http", "./server.js\nworkers = 2\nspede = 1");
    const { code, stdout, stderr } = await run({ "app.ini": ini, "app.js": app, "server.js": server }, [
      "app.ini",
      "--bind",
      "127.0.0.1:0",
    ]);
    expect(stderr).toContain('app.ini:4: [server:main] spede: unknown key, did you mean "speed"?');
    expect([code, stdout]).toEqual([2, ""]);
  });
});

describe("no secret is printed", () => {
  const secrets = "db.pwd = hunter2hunter2\njwt = eyJ-no-jwt-at-all\nurl = postgres://me:hunter3hunter3@db/app\npepper = hunter4hunter4\n";
  const parsing = withPackages(
    'import { parseConfig, secret, integer, string } from "tsserve";\nexport const makeApp = (config) => parseConfig(config, { db: { pwd: integer }, jwt: integer, url: integer, pepper: secret(integer) });\n',
  );
  const throws =
    "export const makeApp = (config) => { throw new Error(`can't reach ${config.url} with ${config['db.pwd']} and ${process.env.API_TOKEN}`); };\n";

  for (const args of [
    ["serve", "app.ini", "--bind", "127.0.0.1:0"],
    ["check", "app.ini"],
  ]) {
    test(`${args[0]}: neither what the app's own parseConfig found, nor what its factory threw`, async () => {
      for (const module of [parsing, throws]) {
        const { code, stdout, stderr } = await run({ "app.ini": `${good}${secrets}`, "app.js": module }, args, {
          env: { API_TOKEN: "hunter5hunter5" },
        });
        expect(code).toBe(module === parsing ? 2 : 3);
        expect(stdout + stderr).not.toMatch(/hunter|eyJ/);
        expect(stderr).toContain("****");
      }
    });
  }
});
