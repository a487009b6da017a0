import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, makeTemporaryFolder, spawnTsserve, until, type TemporaryFolder } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { fixture, serve } from "./support/serve.ts";
import { hasProgram } from "./support/measured.ts";
import { run } from "./support/run.ts";

/** Three kinds of services: one process, a fleet with pools behind a unix socket, Thrift. */
const inis: Readonly<Record<string, string>> = {
  "one process": `[server:main]
factory = tsserve/http
client_max_size = 10M

[app:main]
factory = ./app.js
greeting = \${GREETING:-Hello}
`,
  "a fleet": `[server:main]
factory = tsserve/http
bind = /run/orders/http.sock
workers = 4
drain_time = 5 seconds
stop_timeout = 30
access_log = access.log
keepalive_timeout = 60 seconds

[app:main]
factory = ./app.js
db.url = postgres://app:$DB_PASSWORD@\${DB_HOST:-db}/app
pool.db.max_connections = 100
`,
  Thrift: `[server:main]
factory = tsserve/thrift
metrics.enabled = false
port = 9191
host = 0.0.0.0

[app:main]
factory = ./app.js
api_key = $API_KEY
`,
};
const rows = Object.entries(inis);
const withName = (ini: string, folder: TemporaryFolder = makeTemporaryFolder()): TemporaryFolder => {
  folder.write("app.ini", ini.replace("access_log = access.log\n", ""));
  folder.write("package.json", JSON.stringify({ name: "@shop/orders" }));
  return folder;
};
const files = (ini: string): Record<string, string> => ({
  "app.ini": ini.replace("access_log = access.log\n", ""),
  "package.json": '{"name":"@shop/orders"}',
});

async function kit(kind: string, ini: string): Promise<{ folder: TemporaryFolder; text: (name: string) => string }> {
  const folder = withName(ini);
  const { code, stderr } = await run({}, ["kit", kind, "app.ini", "-o", "out"], { cwd: folder.path });
  expect([code, stderr]).toEqual([0, ""]);
  return { folder, text: (name) => readFileSync(join(folder.path, "out", name), "utf8") };
}

describe("k8s", () => {
  test.each(rows)("prints manifests of %s: what the file says is in them, its variables need not be set", async (_name, ini) => {
    const { code, stdout, stderr } = await run(files(ini), ["k8s", "app.ini", "--image", "registry.example/orders:7"]);
    expect([code, stderr.replace(/^tsserve: pool\.db: up to 15 processes .*\n/, "")]).toEqual([0, ""]);
    const objects = parseAllDocuments(stdout).map(
      (document) => document.toJS() as { kind: string; data?: Record<string, string>; spec?: unknown } | null,
    );
    expect(objects.filter((object) => object !== null).map(({ kind }) => kind)).toEqual([
      "ConfigMap",
      "Deployment",
      "Service",
      "PodDisruptionBudget",
    ]);
    expect(stdout).toContain("name: orders\n");
    expect(stdout).toContain("image: registry.example/orders:7");
    expect(objects.find((object) => object?.kind === "ConfigMap")?.data?.["app.ini"]).toBe(files(ini)["app.ini"]);
    expect(stdout).toContain(ini.includes("drain_time") ? "terminationGracePeriodSeconds: 41" : "terminationGracePeriodSeconds: 21");
  });

  test.each([
    ["db_password = hunter2xx", "db_password"],
    ["db_password = ${PW:-hunter2xx}", "db_password"],
    ["url = postgres://app:hunter2xx@db/app", "url"],
    ["url = ${URL:-postgres://app:hunter2xx@db/app}", "url"],
    ["sentry.dsn = https://hunter2xx@sentry.example/1", "sentry.dsn"],
  ] as const)("a secret in the file is refused, named and not printed: %s", async (line, key) => {
    const { code, stdout, stderr } = await run(files(`${inis["one process"]}${line}\n`), ["k8s", "app.ini"]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(new RegExp(`^app\\.ini:8: \\[app:main\\] ${key}: expected a reference such as \\$`));
    expect(stderr).not.toContain("hunter2");
  });

  test("a secret of a section that is not used is refused as well: the whole file is carried along", async () => {
    const { code, stderr } = await run(files(`${inis["one process"]}[app:other]\nfactory = x\npassword = hunter2xx\n`), ["k8s", "app.ini"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^app\.ini:10: \[app:other\] password: /);
  });

  test("a grace period that is too short is refused, another is taken as it is written", async () => {
    const ini = (seconds: number): string =>
      (inis["a fleet"] ?? "").replace("workers = 4", `workers = 4\ntermination_grace_period_seconds = ${seconds}`);
    const short = await run(files(ini(36)), ["k8s", "app.ini"]);
    expect([short.code, short.stderr]).toEqual([
      2,
      expect.stringMatching(/^app\.ini:5: \[server:main\] termination_grace_period_seconds: expected at least 37/),
    ]);
    const enough = await run(files(ini(37)), ["k8s", "app.ini"]);
    expect([enough.code, enough.stdout]).toEqual([0, expect.stringContaining("terminationGracePeriodSeconds: 37")]);
  });

  test.each([
    [["--replicas", "0"], /--replicas: expected a number/],
    [["--hpa", "cpo"], /--hpa: expected cpu or elu or keda, found "cpo", did you mean "cpu"\?/],
    [["--hpa", "keda"], /--hpa keda: expected factory = tsserve\/queue/],
    [["--monitor", "pods"], /--monitor: expected pod or service/],
    [["--name", "Orders!"], /--name: expected lower-case letters/],
    [["--imag", "x"], /unknown option --imag, did you mean "--image"\?/],
  ])("%j is answered by a sentence", async (args, message) => {
    const { code, stderr } = await run(files(inis["one process"] ?? ""), ["k8s", "app.ini", ...args]);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });

  test("a chart is written into a new folder, and never over one", async () => {
    const folder = withName(inis["a fleet"] ?? "");
    const first = await run({}, ["k8s", "app.ini", "--helm", "chart", "--hpa", "cpu"], { cwd: folder.path });
    expect(first.code).toBe(0);
    expect(readdirSync(join(folder.path, "chart", "templates")).sort()).toContain("horizontal-pod-autoscaler.yaml");
    const before = readFileSync(join(folder.path, "chart", "values.yaml"), "utf8");
    const second = await run({}, ["k8s", "app.ini", "--helm", "chart"], { cwd: folder.path });
    expect([second.code, second.stderr]).toEqual([2, expect.stringContaining("exists already")]);
    expect(readFileSync(join(folder.path, "chart", "values.yaml"), "utf8")).toBe(before);
    folder.remove();
  });
});

test("an image is told by its environment what it serves", async () => {
  const folder = makeTemporaryFolder({
    "package.json": '{"name":"orders"}',
    "configs/shop.ini": `[server:web]\nfactory = tsserve/http\n[app:web]\nfactory = ${fixture("hello.js")}\n`,
  });
  const env = { CONFIG_NAME: "shop", WORKER_TYPE: "web", WORKER_CONNECTIONS: "40" };
  const checked = await run({}, ["check"], { cwd: folder.path, env });
  expect([checked.stderr, checked.code]).toEqual(["", 0]);
  expect(checked.stdout).toContain("max_active_requests = 40");
  const { stdout } = await run({}, ["kit", "docker", "configs/shop.ini"], { cwd: folder.path, env: { WORKER_TYPE: "web" } });
  expect(stdout).toContain("ENV CONFIG_NAME=shop");
  expect(stdout).not.toMatch(/^CMD/m);
  folder.remove();
});

/** What a Dockerfile says to its container. */
function imageOf(dockerfile: string): { env: Record<string, string>; check: string[] } {
  const joined = dockerfile.replaceAll(/\s*\\\n\s*/g, " ");
  const variables = [...joined.matchAll(/^ENV (.*)$/gm)].flatMap(([, line = ""]) => line.split(" "));
  const [, check = "[]"] = /^HEALTHCHECK .* CMD (.*)$/m.exec(joined) ?? [];
  return {
    env: Object.fromEntries(variables.map((each) => each.split("=", 2) as [string, string])),
    check: (JSON.parse(check) as string[]).slice(2),
  };
}

describe("where a file has it listen", () => {
  const ini = (bind: string): string => (inis["one process"] ?? "").replace("client_max_size", `${bind}\nclient_max_size`);

  test.each([
    [
      "port = $PORT",
      {},
      /^app\.ini:3: \[server:main\] port: needs a value of PORT, which is not set here \(set it for this command, or write \$\{PORT:-…\}\)/,
    ],
    ["bind = $BIND", {}, /^app\.ini:3: \[server:main\] bind: needs a value of BIND, which is not set here/],
    ["drain_time = $DRAIN", {}, /^app\.ini:3: \[server:main\] drain_time: needs a value of DRAIN/],
    ["port = $PORT", { PORT: "many" }, /^app\.ini:3: \[server:main\] port: expected an integer, found "many"/],
  ])("%s with %j: what has to be known is asked for by its name", async (bind, env, message) => {
    for (const command of [["k8s"], ["kit", "systemd"]]) {
      const { code, stderr } = await run(files(ini(bind)), [...command, "app.ini"], { env });
      expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
    }
  });

  test.each([
    [["k8s"], true],
    [["kit", "systemd"], true],
    [["kit", "nginx"], true],
    [["kit", "docker"], false],
    [["kit", "logrotate"], false],
  ])("%j says which places are not in what it writes: %s", async (command, isSaid) => {
    const { code, stderr } = await run(files(ini("bind = 127.0.0.1:8080, :8443, /run/a.sock")), [...command, "app.ini"]);
    expect([code, stderr.includes("and at :8443, /run/a.sock: add those by hand")]).toEqual([0, isSaid]);
  });
});

describe("an image of several kinds", () => {
  test("listens where the section that runs says, on all addresses, and its check asks that one as it can be asked", async () => {
    const ports = { main: await freePort(), api: await freePort(), secure: await freePort(), exporter: await freePort() };
    const tls = fixture("../tls/");
    const folder = makeTemporaryFolder({
      "package.json": '{"name":"shop"}',
      "configs/shop.ini": `[DEFAULT]
metrics.enabled = false
[server:main]
factory = tsserve/http
port = ${ports.main}
[app:main]
factory = ${fixture("hello.js")}
[server:api]
factory = tsserve/thrift
bind = localhost:${ports.api}
[app:api]
factory = ${fixture("thrift-loaded.js")}
[server:secure]
factory = tsserve/http
bind = 127.0.0.1:${ports.secure}
tls.certificate = ${tls}localhost.pem
tls.key = ${tls}localhost.key.pem
metrics.enabled = true
metrics.endpoint = 127.0.0.1:${ports.exporter}
[app:secure]
factory = ${fixture("hello.js")}
[server:closed]
factory = tsserve/http
port = ${ports.main}
health = false
[app:closed]
factory = ${fixture("hello.js")}
`,
    });
    const printed = await run({}, ["kit", "docker", "configs/shop.ini"], { cwd: folder.path });
    expect([printed.code, printed.stderr]).toEqual([0, ""]);
    const { env, check } = imageOf(printed.stdout);
    expect(env).toMatchObject({ CONFIG_NAME: "shop", TSSERVE_BIND: "0.0.0.0:*" });
    for (const [type, address, asked] of [
      ["main", `http://0.0.0.0:${ports.main}`, /^OK!\n$/],
      ["api", `thrift://0.0.0.0:${ports.api}`, /^OK!\n$/],
      ["secure", `https://0.0.0.0:${ports.secure}`, /^OK!\n$/],
      ["closed", `http://0.0.0.0:${ports.main}`, /nothing can be asked/],
    ] as const) {
      const environment = { ...env, WORKER_TYPE: type };
      const before = await run({}, check, { cwd: folder.path, env: environment });
      if (type !== "closed") expect([type, before.code], before.stderr).toEqual([type, 1]);
      await using server = spawnTsserve({ args: [], cwd: folder.path, env: environment });
      expect(await server.listening()).toBe(address);
      const { code, stdout, stderr } = await run({}, check, { cwd: folder.path, env: environment });
      expect([type, code, stdout, stderr]).toEqual([type, 0, expect.stringMatching(asked), ""]);
    }
    folder.remove();
  });
});

describe("kit", () => {
  test("an unknown kind names the nearest; what exists is not overwritten, nor is anything beside it written", async () => {
    const unknown = await run(files(inis["one process"] ?? ""), ["kit", "sytemd", "app.ini"]);
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('did you mean "systemd"?')]);
    const folder = withName(inis["one process"] ?? "");
    folder.write("out/.dockerignore", "mine\n");
    const { code, stderr } = await run({}, ["kit", "docker", "app.ini", "-o", "out"], { cwd: folder.path });
    expect([code, stderr]).toEqual([2, expect.stringMatching(/\.dockerignore: exists already/)]);
    expect(readdirSync(join(folder.path, "out"))).toEqual([".dockerignore"]);
    folder.remove();
  });

  test.each(rows)("docker for %s: the exec form, no npm in between, what the file needs", async (_name, ini) => {
    const { folder, text } = await kit("docker", ini);
    const dockerfile = text("Dockerfile");
    expect(dockerfile).toMatch(/^ENTRYPOINT \["node","node_modules\/tsserve\/bin\/tsserve\.js"\]\nCMD \["app\.ini"\]$/m);
    expect(dockerfile).toMatch(/^STOPSIGNAL SIGTERM$/m);
    expect(dockerfile).toMatch(/^USER node$/m);
    for (const line of dockerfile.split("\n").filter((each) => /^(?:ENTRYPOINT|CMD|HEALTHCHECK)/.test(each)))
      expect(line).not.toMatch(/npm|npx|\bsh\b/);
    expect(dockerfile).toMatch(ini.includes("thrift") ? /^EXPOSE 9191$/m : /^EXPOSE 9090/m);
    if (ini.includes("API_KEY")) expect(dockerfile).toContain("-e API_KEY=…");
    folder.remove();
  });

  test.skipIf(!hasProgram("/usr/bin/systemd-analyze"))("systemd takes the units without a word, and finds them well confined", async () => {
    for (const [, ini] of rows) {
      const { folder } = await kit("systemd", ini);
      // The user and the folders are those of the host that it will run on.
      const out = join(folder.path, "out");
      const service = readFileSync(join(out, "orders.service"), "utf8").replaceAll(/^(?:User|Group)=.*$/gm, "");
      writeFileSync(join(out, "orders.service"), service);
      const verified = spawnSync(
        "/usr/bin/systemd-analyze",
        ["verify", "--man=no", join(out, "orders.service"), join(out, "orders.socket")],
        { encoding: "utf8" },
      );
      expect(verified.stdout + verified.stderr).toBe("");
      // systemd-notify is a process of its own: without NotifyAccess=all systemd would not listen to it.
      expect(service).toMatch(/^Type=notify\nNotifyAccess=all$/m);
      const planted = service.replace("KillMode=", "KilMode=");
      writeFileSync(join(out, "planted.service"), planted);
      const refused = spawnSync("/usr/bin/systemd-analyze", ["verify", "--man=no", join(out, "planted.service")], { encoding: "utf8" });
      expect(refused.stderr).toContain("KilMode");
      const security = spawnSync("/usr/bin/systemd-analyze", ["security", "--offline=true", join(out, "orders.service")], {
        encoding: "utf8",
      });
      const [, exposure] = /exposure level for .*: ([\d.]+)/.exec(security.stdout) ?? [];
      expect(Number(exposure)).toBeLessThanOrEqual(3);
      folder.remove();
    }
  });

  test.skipIf(!hasProgram("/usr/sbin/logrotate"))("logrotate takes its file", async () => {
    for (const [, ini] of rows) {
      const { folder } = await kit("logrotate", ini);
      const path = join(folder.path, "out", "orders.logrotate");
      const { status, stderr } = spawnSync("/usr/sbin/logrotate", ["-d", "-s", join(folder.path, "state"), path], { encoding: "utf8" });
      expect([status, stderr]).toEqual([0, expect.not.stringMatching(/^error/m)]);
      folder.remove();
    }
  });

  test.skipIf(!hasProgram("/usr/sbin/nginx"))(
    "nginx proxies by its file: requests, upgrades' headers, the body's limit, static files",
    async () => {
      await using server = serve({ app: "slow.js", server: { client_max_size: "1K" } });
      const upstream = new URL(await server.listening()).host;
      const port = await freePort();
      const { folder, text } = await kit("nginx", (inis["one process"] ?? "").replace("10M", "1K"));
      mkdirSync(join(folder.path, "static"));
      writeFileSync(join(folder.path, "static", "a.txt"), "a file\n");
      const site = text("orders.nginx.conf")
        .replace("127.0.0.1:9090", upstream)
        .replace("listen 80;", `listen 127.0.0.1:${port};`)
        .replaceAll("/srv/orders/current", folder.path);
      writeFileSync(join(folder.path, "site.conf"), site);
      const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map((each) => `${each}_temp_path ${folder.path}/${each};`)
        .join("\n");
      writeFileSync(
        join(folder.path, "nginx.conf"),
        `daemon off;\nuser root;\npid ${folder.path}/nginx.pid;\nerror_log ${folder.path}/error.log;\nevents {}\nhttp {\naccess_log off;\n${temporary}\ninclude ${folder.path}/site.conf;\n}\n`,
      );
      const nginx = spawn("/usr/sbin/nginx", ["-c", join(folder.path, "nginx.conf")], { stdio: "pipe" });
      try {
        const base = `http://127.0.0.1:${port}`;
        const answer = await until("nginx", () => fetch(`${base}/`).catch(() => undefined), {
          describe: () => readFileSync(join(folder.path, "error.log"), "utf8"),
        });
        expect(answer.status).toBe(200);
        expect((await fetch(`${base}/health`)).status).toBe(200);
        expect(await (await fetch(`${base}/static/a.txt`)).text()).toBe("a file\n");
        expect((await fetch(`${base}/`, { method: "POST", body: "x".repeat(2000) })).status).toBe(413);
      } finally {
        await end(nginx);
        folder.remove();
      }
    },
  );

  test("circus: the socket is passed as fd://N, and one master runs under it", async () => {
    const { folder, text } = await kit("circus", inis["a fleet"] ?? "");
    expect(text("orders.circus.ini")).toMatch(/^cmd = .* --bind fd:\/\/\$\(circus\.sockets\.orders\)/m);
    expect(text("orders.circus.ini")).toMatch(/^graceful_timeout = 40$/m);
    folder.remove();
  });
});

async function end(child: ChildProcess): Promise<void> {
  child.kill("SIGTERM");
  await until("the end of a manager", () => child.exitCode ?? child.signalCode ?? undefined);
}
