import { isConfigurationError, Masker } from "@tsserve/config";
import { describe, expect, test } from "vitest";
import { resolvedSettings } from "./commands/check.ts";
import { makeAppConfiguration, makeConfiguration, type Configuration, type ConfigurationSource } from "./configuration.ts";
import { differences } from "./differences.ts";
import { schemaOf } from "./schema.ts";
import { serverSettings } from "./server-settings.ts";

const good = "[server:main]\nfactory = tsserve/http\n[app:main]\nfactory = ./app.js\n";

function source(text: string, more: Partial<ConfigurationSource> = {}): ConfigurationSource {
  return {
    file: "app.ini",
    folder: "/srv/app",
    cwd: "/home/me",
    text,
    environment: {},
    fileEnvironment: {},
    values: { binds: [], includes: [] },
    stdoutIsTerminal: false,
    masker: new Masker(),
    serverSettings,
    ...more,
  };
}

function make(text: string, more: Partial<ConfigurationSource> = {}): Promise<Configuration> {
  return makeConfiguration(source(text, more));
}

async function problemsOf(text: string, more: Partial<ConfigurationSource> = {}): Promise<string[]> {
  try {
    await make(text, more);
  } catch (error) {
    if (isConfigurationError(error)) return error.message.split("\n");
    throw error;
  }
  return [];
}

describe("one reading", () => {
  test("gives every slice, frozen, with the defaults of the specs", async () => {
    const configuration = await make(good);
    expect(Object.isFrozen(configuration)).toBe(true);
    expect(configuration).toMatchObject({
      file: "app.ini",
      folder: "/srv/app",
      lifecycle: { drainTimeMs: 0, stopTimeoutMs: 10_000 },
      listen: { endpoints: [{ host: "localhost", port: 9090 }], from: "default" },
      master: { workers: undefined, upgradeMode: "smooth", controlSocket: undefined },
      metrics: { enabled: true, endpoint: { host: "0.0.0.0", port: 6060 } },
      logging: { level: "info", format: "json" },
    });
  });

  test("the command line beats the file", async () => {
    const text =
      good.replace("tsserve/http", "tsserve/http\nworkers = 2\nbind = :80\ncontrol_socket = ctl.sock") + "[logging]\nlevel = warn\n";
    expect(await make(text)).toMatchObject({
      master: { workers: 2, controlSocket: "/srv/app/ctl.sock" },
      listen: { endpoints: [{ host: "", port: 80 }], from: "file" },
      logging: { level: "warn" },
    });
    const values = { binds: [":81"], includes: [], workers: "3", socket: "x.sock", "log-level": "error" };
    expect(await make(text, { values })).toMatchObject({
      master: { workers: 3, controlSocket: "/home/me/x.sock" },
      listen: { endpoints: [{ host: "", port: 81 }], from: "command line" },
      logging: { level: "error" },
    });
  });

  test.each([
    ["host = ::1\nport = 80", { host: "::1", port: 80 }],
    ["host = 127.0.0.1", { host: "127.0.0.1", port: 9090 }],
    ["port = 8080", { host: "localhost", port: 8080 }],
  ])("%j says where to listen", async (keys, endpoint) => {
    expect((await make(good.replace("tsserve/http", `tsserve/http\n${keys}`))).listen.endpoints).toEqual([endpoint]);
  });

  test("the real environment beats the environment file, and references see both", async () => {
    const text = good + "a = $A\nb = $B\n";
    const { app } = await make(text, { environment: { A: "real" }, fileEnvironment: { A: "file", B: "file" } });
    expect([app.values["a"], app.values["b"]]).toEqual(["real", "file"]);
  });

  test("all problems come at once, in the order of the file, each once", async () => {
    const text =
      "[server:main]\nfactory = tsserve/http\nport = 99999\nworkers = many\nrubbish = 1\nconstructor = 1\nmetrics.listener = x\n[app:main]\nfactory =\nmetrics.endpoint = nowhere\n[logging]\nlevel = loud\n";
    expect(await problemsOf(text)).toEqual([
      'app.ini:3: [server:main] port: expected a port of 0 to 65535, found "99999"',
      'app.ini:4: [server:main] workers: expected a number from 1 to 1024, or auto, found "many"',
      "app.ini:5: [server:main] rubbish: unknown key, expected one that this server knows",
      "app.ini:6: [server:main] constructor: unknown key, expected one that this server knows",
      'app.ini:7: [server:main] metrics.listener: expected an integer, found "x"',
      "app.ini:9: [app:main] factory: a value is required, such as ./app.js:makeApp",
      expect.stringMatching(/^app\.ini:10: \[app:main\] metrics\.endpoint: expected an endpoint .* found "nowhere"$/),
      expect.stringMatching(/^app\.ini:12: \[logging\] level: expected one of .* found "loud"$/),
    ]);
  });

  test("bind and port contradict each other, and a list of nothing is no place", async () => {
    expect(await problemsOf(good.replace("tsserve/http", "tsserve/http\nbind = :1\nport = 2"))).toEqual([
      'app.ini:3: [server:main] bind: expected either bind, or host and port, not both, found ":1"',
    ]);
    expect(await problemsOf(good.replace("tsserve/http", "tsserve/http\nbind = ,"))).toEqual([
      'app.ini:3: [server:main] bind: expected at least one endpoint, found ","',
    ]);
  });

  test("an absent key is absent, whatever every object has of that name", async () => {
    const { app, server } = await make(good);
    for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
      expect([app.values[name], server.values[name]]).toEqual([undefined, undefined]);
    }
    expect(await problemsOf(good + "x = $toString\n")).toHaveLength(1);
  });

  test("a command without a server reads the app's share", () => {
    const { app, logging } = makeAppConfiguration(source("[app:main]\na = 1\n"));
    expect([{ ...app.values }, logging.level]).toEqual([{ a: "1" }, "info"]);
  });

  test.each([
    ["the server's section", "[server:main]\nDESTINATIONS\n[app:main]\n"],
    ["all sections", "[DEFAULT]\nDESTINATIONS\n[server:main]\n[app:main]\n"],
    ["the app's, where there is no server", "[app:main]\nDESTINATIONS\n"],
    [
      "a server's that could not serve",
      "[server:main]\nfactory = $NOWHERE\nworkers = many\nmetrics.endpoint = $NOWHERE\nDESTINATIONS\n[app:main]\n",
    ],
  ])("which tells of what it did where %s says", (_where, text) => {
    const keys = "tracing.endpoint = http://traces:4318\nsentry.dsn = https://key@sentry/1\nmetrics.push_gateway = http://push:9091";
    const { tracing, sentry, pushGateway } = makeAppConfiguration(source(text.replace("DESTINATIONS", keys)));
    expect([tracing?.endpoint, sentry?.dsn, pushGateway]).toEqual(["http://traces:4318", "https://key@sentry/1", "http://push:9091"]);
  });

  test.each([
    [
      "the server's keys win",
      "[server:main]\nsentry.dsn = https://key@server/1\n[app:main]\nsentry.dsn = https://key@app/1\n",
      "https://key@server/1",
    ],
    ["the app's are read", "[server:main]\nfactory = x\n[app:main]\nsentry.dsn = https://key@app/1\n", "https://key@app/1"],
    ["an app's own key is no server's", "[server:main]\nfactory = x\n[app:main]\ntracing.endpoint = mine\n", undefined],
  ])("%s", (_what, text, dsn) => {
    const { sentry, tracing } = makeAppConfiguration(source(text));
    expect([sentry?.dsn, tracing]).toEqual([dsn, undefined]);
  });

  test.each([
    ["[server:main]\ntracing.endpoint = $NOWHERE\n[app:main]\n", "app.ini:2: [server:main] tracing.endpoint: "],
    ["[server:main]\ntracing.endpoint = nonsense\n[app:main]\n", "app.ini:2: [server:main] tracing.endpoint: expected a URL"],
    ["[server:main]\nfactory = x\n[app:main]\nsentry.dsn = nonsense\n", "app.ini:4: [app:main] sentry.dsn: expected a DSN"],
    ["[server:main]\nmetrics.push_gateway = nonsense\n[app:main]\n", "app.ini:2: [server:main] metrics.push_gateway: expected a URL"],
    ["[app:main]\ntracing.sample = many\ntracing.endpoint = http://x\n", "app.ini:2: [app:main] tracing.sample: expected a percentage"],
  ])("what is wrong with them is told with its place: %j", (text, message) => {
    expect(() => makeAppConfiguration(source(text))).toThrow(message);
  });
});

describe("differences", () => {
  const before = good.replace("tsserve/http", "tsserve/http\nstop_timeout = 10 seconds\nbind = :80\nclient_max_size = 1M");

  test("there are none between equal ones, nor for a default that is written out", async () => {
    expect(differences(await make(good), await make(good))).toEqual([]);
    expect(differences(await make(good), await make(good.replace("tsserve/http", "tsserve/http\nstop_timeout = 10 seconds")))).toEqual([]);
  });

  test("each is told with what becomes of it, secrets masked", async () => {
    const after =
      before.replace("10 seconds", "30").replace(":80", ":81").replace("= 1M", "= 2M") +
      "db.password = new-secret\nnote = for new-secret\n[logging]\nlevel = debug\n";
    const found = differences(
      await make(before + "db.password = old-secret\n", { fileEnvironment: { A: "1" } }),
      await make(after, { fileEnvironment: { A: "2", TOKEN: "hidden-token" } }),
    );
    expect(found).toEqual([
      { section: "server:main", key: "bind", before: ":80", after: ":81", effect: "restart" },
      { section: "server:main", key: "stop_timeout", before: "10 seconds", after: "30", effect: "now" },
      { section: "server:main", key: "client_max_size", before: "1M", after: "2M", effect: "new workers" },
      { section: "app:main", key: "db.password", before: "****", after: "****", effect: "new workers" },
      { section: "app:main", key: "note", before: undefined, after: "for ****", effect: "new workers" },
      { section: "logging", key: "level", before: "info", after: "debug", effect: "now" },
      { section: "environment", key: "A", before: "1", after: "2", effect: "new workers" },
      { section: "environment", key: "TOKEN", before: undefined, after: "****", effect: "new workers" },
    ]);
  });

  test("a key that is gone goes back to its default, or to nothing", async () => {
    expect(differences(await make(before.replace("10 seconds", "30") + "x = 1\n"), await make(good))).toEqual([
      { section: "server:main", key: "stop_timeout", before: "30", after: "10 seconds", effect: "now" },
      { section: "server:main", key: "bind", before: ":80", after: undefined, effect: "restart" },
      { section: "app:main", key: "x", before: "1", after: undefined, effect: "new workers" },
    ]);
  });
});

describe("what check prints", () => {
  test("reads back to the same values, and prints the same again", async () => {
    const text =
      "[DEFAULT]\nregion = eu-1\n" +
      good.replace("tsserve/http", "tsserve/http\ndrain_time = $DRAIN\naccess_log = false") +
      'list = a,\n  b\n\n  c\nquoted = "  padded  "\nprice = \\$5 ${HOME}\nempty =\n[logging]\nlevels.app.x = debug\nredact = a, *.b\n';
    const more = { environment: { DRAIN: "5 seconds", HOME: "# not a $comment\n; nor this\n  indented \n" } };
    const configuration = await make(text, more);
    const printed = resolvedSettings(configuration).join("\n");
    const again = await make(printed);
    expect(differences(configuration, again)).toEqual([]);
    expect({ ...again.app.values }).toEqual({ ...configuration.app.values });
    expect(again.logging).toEqual(configuration.logging);
    expect(resolvedSettings(again).join("\n")).toBe(printed);
  });

  test("has the levels of loggers, and no secret", async () => {
    const text = good + "db.pwd = hunter2hunter2\nurl = amqp://me:hunter3@mq\nnote = hunter2hunter2!\n[logging]\nlevels.tsserve = warn\n";
    const printed = resolvedSettings(await make(text)).join("\n");
    expect(printed).not.toMatch(/hunter/);
    expect(printed).toContain("db.pwd = ****\nurl = amqp://me:****@mq\nnote = ****!\n");
    expect(printed).toContain("levels.tsserve = warn");
  });
});

test("the schema knows the keys of the file's server, their defaults and their choices", async () => {
  const schema = schemaOf(await make(good)) as {
    properties: Record<string, { properties: Record<string, unknown>; additionalProperties: unknown }>;
  };
  const server = schema.properties["server:main"];
  expect(server?.properties["stop_timeout"]).toMatchObject({ type: "string", default: "10 seconds" });
  expect(server?.properties["upgrade"]).toMatchObject({ anyOf: [{ enum: ["smooth", "fleet"] }, { pattern: "\\$" }] });
  expect(server?.properties["client_max_size"]).toBeDefined();
  expect(server?.additionalProperties).toBe(false);
  expect(schema.properties["logging"]).toMatchObject({ patternProperties: { "^levels\\.": { type: "string" } } });
});

test("WORKER_CONNECTIONS of an image is max_active_requests of its HTTP server, over what the file says", async () => {
  const environment = { WORKER_CONNECTIONS: "40" };
  const file = good.replace("[app:main]", "max_active_requests = 7\n[app:main]");
  for (const text of [good, file]) expect((await make(text, { environment })).server.values["max_active_requests"]).toBe("40");
  expect((await make(file, { environment: { WORKER_CONNECTIONS: "" } })).server.values["max_active_requests"]).toBe("7");
  expect(await problemsOf(good, { environment: { WORKER_CONNECTIONS: "many" } })).toEqual([expect.stringContaining("max_active_requests")]);
});
