import { describe, expect, test } from "vitest";
import type { DeploymentPlan } from "../deployment-plan.ts";
import { hostLayout, requiredVariables, sectionOptions, stopLimitSeconds } from "./host-layout.ts";
import { isKitName, kits, type KitName } from "./kit.ts";
import type { PackageManager } from "./package-manager.ts";

const plan: DeploymentPlan = {
  name: "shop",
  iniPath: "app.ini",
  iniText: "",
  serverName: "main",
  appName: "main",
  kind: "http",
  port: 9090,
  drainSeconds: 5,
  stopSeconds: 10,
  startSeconds: 20.5,
  workers: 1,
  hasMaster: false,
  upgrade: "smooth",
  environment: [],
  pools: [],
};

function textOf(name: KitName, more: Partial<DeploymentPlan> = {}, file?: string): string {
  const files = kits[name]({ ...plan, ...more });
  const text = file === undefined ? [...files.values()][0] : files.get(file);
  if (text === undefined) throw new Error(`no ${file ?? name} among ${[...files.keys()].join(", ")}`);
  return text;
}

describe("every kit", () => {
  const names = Object.keys(kits) as KitName[];

  test.each(names)("%s is named, says where it is from, and ends its lines", (name) => {
    expect(isKitName(name)).toBe(true);
    const files = kits[name]({ ...plan, accessLogPath: "/var/log/shop/access.log" });
    expect(files.size).toBeGreaterThan(0);
    const all = [...files.values()];
    expect(all[0]).toContain(`derived from app.ini by "tsserve kit ${name}"`);
    for (const text of all) {
      expect(text.endsWith("\n")).toBe(true);
      expect(text).not.toMatch(/undefined|\[object|NaN/);
      expect(text).not.toMatch(/[ \t]+$/m);
    }
  });

  test.each(["", "Docker", "toString", "constructor", "kit"])("%j is none", (name) => {
    expect(isKitName(name)).toBe(false);
  });
});

test.each([
  [
    "systemd",
    'ExecStart=/usr/bin/env node /srv/shop/current/node_modules/tsserve/bin/tsserve.js "/srv/shop/current/my app.ini" --app-name "a b"',
  ],
  ["supervisor", '"/srv/shop/current/my app.ini" --bind 127.0.0.1:9090 --app-name "a b"'],
  ["circus", '"/srv/shop/current/my app.ini" --bind fd://$(circus.sockets.shop) --app-name "a b"'],
  ["docker", 'TSSERVE_APP_NAME="a b"'],
  ["docker", 'CMD ["my app.ini"]'],
] as const)("%s is told of a file and a section with blanks as one word each", (name, expected) => {
  expect(textOf(name, { iniPath: "my app.ini", appName: "a b" })).toContain(expected);
});

test.each([
  [{ unixSocket: "/run/my shop/a.sock" }, "supervisor", '--bind "/run/my shop/a.sock"'],
  [{ unixSocket: "/run/my shop/a.sock" }, "nginx", 'server "unix:/run/my shop/a.sock";'],
  [{ unixSocket: "/run/my shop/a.sock" }, "nginx", "real_ip_from = unix\n"],
  [{ unixSocket: "/run/my shop/a.sock" }, "systemd", "ListenStream=/run/my shop/a.sock\n"],
  [{ unixSocket: "/run/50%/a.sock" }, "supervisor", '--bind "/run/50%%/a.sock"'],
  [{ unixSocket: "/run/50%/a.sock" }, "systemd", "ListenStream=/run/50%%/a.sock\n"],
  [{ unixSocket: "/run/a.sock" }, "nginx", "server unix:/run/a.sock;"],
  [{ address: "::1" }, "nginx", "server [::1]:9090;"],
  [{ address: "::1" }, "nginx", "real_ip_from = ::1\n"],
  [{ address: "::1" }, "systemd", "ListenStream=[::1]:9090\n"],
  [{ address: "10.0.0.5" }, "nginx", "server 10.0.0.5:9090;"],
  [{ address: "10.0.0.5" }, "supervisor", "--bind 10.0.0.5:9090"],
  [{ address: "10.0.0.5" }, "systemd", "ListenStream=10.0.0.5:9090\n"],
  [{}, "nginx", "server 127.0.0.1:9090;"],
  [{}, "nginx", "real_ip_from = loopback\n"],
] as const)("the place %j is one and the same to all that have to agree: %s says %j", (more, name, expected) => {
  expect([...kits[name]({ ...plan, ...more }).values()].join("\n")).toContain(expected);
});

describe("where a service lives", () => {
  test.each<[Partial<DeploymentPlan>, string]>([
    [{}, "127.0.0.1:9090"],
    [{ port: 80 }, "127.0.0.1:80"],
    [{ unixSocket: "/run/shop/shop.sock" }, "/run/shop/shop.sock"],
    [{ address: "127.0.0.1" }, "127.0.0.1:9090"],
    [{ address: "::1" }, "[::1]:9090"],
    [{ address: "10.0.0.5", port: 80 }, "10.0.0.5:80"],
  ])("%j listens behind its proxy at %s", (more, bind) => {
    expect(hostLayout({ ...plan, ...more }).bind).toBe(bind);
  });

  test.each<[PackageManager | undefined, string[]]>([
    [undefined, ["COPY package.json package-lock.json* npm-shrinkwrap.json* ./", "RUN npm ci"]],
    ["none", ["COPY package.json ./", "RUN npm install"]],
    ["pnpm", ["COPY package.json pnpm-lock.yaml pnpm-workspace.yaml* ./", "RUN corepack enable && pnpm install --frozen-lockfile"]],
    ["yarn", ["ENV YARN_NODE_LINKER=node-modules", "RUN corepack enable && yarn install --immutable"]],
    ["yarn-classic", ["COPY package.json yarn.lock ./", "RUN yarn install --frozen-lockfile"]],
  ])("is filled by %s", (packageManager, lines) => {
    expect(textOf("docker", { packageManager }).split("\n")).toEqual(expect.arrayContaining(lines));
  });

  test("the command is Node's own, never npm's or a shell's", () => {
    expect(hostLayout(plan)).toMatchObject({
      iniFile: "/srv/shop/current/app.ini",
      command: "/usr/bin/env node /srv/shop/current/node_modules/tsserve/bin/tsserve.js",
      logFolder: "/var/log/shop",
    });
  });

  test.each([
    [0, 10, 15],
    [5, 10, 20],
    [0.4, 0.4, 6],
    [0, 0, 5],
  ])("with a drain of %d s and a stop of %d s, a manager waits %d s", (drainSeconds, stopSeconds, expected) => {
    expect(stopLimitSeconds({ ...plan, drainSeconds, stopSeconds })).toBe(expected);
  });

  test("what it does not start without are the variables that have no default", () => {
    const environment = [
      { name: "DATABASE_URL", hasDefault: false, isSecret: true },
      { name: "REGION", hasDefault: true, isSecret: false },
    ];
    expect(requiredVariables({ ...plan, environment })).toEqual(["DATABASE_URL"]);
  });

  test.each([
    ["main", "main", ""],
    ["admin", "main", " --server-name admin"],
    ["main", "other", " --app-name other"],
    ["admin", "other", " --server-name admin --app-name other"],
  ])("sections %s and %s are chosen by %j", (serverName, appName, expected) => {
    expect(sectionOptions({ ...plan, serverName, appName }, (word) => word)).toBe(expected);
  });
});

describe("systemd", () => {
  const unit = (more: Partial<DeploymentPlan> = {}): string => textOf("systemd", more, "shop.service");
  const line = (text: string, key: string): string[] =>
    [...text.matchAll(new RegExp(`^${key}=(.*)$`, "gm"))].map(([, value = ""]) => value);

  test("the times are those of the configuration, with what hooks may take", () => {
    expect(line(unit(), "TimeoutStopSec")).toEqual(["20"]);
    expect(line(unit(), "TimeoutStartSec")).toEqual(["31"]);
  });

  test("a wrong configuration is not tried again, and only the main process is asked to stop", () => {
    expect(line(unit(), "RestartPreventExitStatus")).toEqual(["2"]);
    expect(line(unit(), "ExecStop")).toEqual([
      "-/bin/kill -TERM $MAINPID",
      "-/usr/bin/tail --sleep-interval=0.1 --pid=${MAINPID} -f /dev/null",
    ]);
    expect([line(unit(), "KillMode"), line(unit(), "KillSignal"), line(unit(), "Type")]).toEqual([
      ["control-group"],
      ["SIGTERM"],
      ["notify"],
    ]);
  });

  test.each([
    [false, []],
    [true, ["/bin/kill -HUP $MAINPID"]],
  ])("with a master: %s, a reload is %j", (hasMaster, expected) => {
    expect(line(unit({ hasMaster }), "ExecReload")).toEqual(expected);
  });

  test("without variables that have to be set, their file need not be there", () => {
    expect(line(unit(), "EnvironmentFile")).toEqual(["-/etc/shop.env"]);
    const environment = [{ name: "DATABASE_URL", hasDefault: false, isSecret: true }];
    expect(line(unit({ environment }), "EnvironmentFile")).toEqual(["/etc/shop.env"]);
    expect(unit({ environment })).toContain("Has to set DATABASE_URL");
  });

  test.each<[Partial<DeploymentPlan>, string]>([
    [{}, "9090"],
    [{ address: "127.0.0.1" }, "127.0.0.1:9090"],
    [{ address: "::1", port: 80 }, "[::1]:80"],
    [{ address: "shop.internal" }, "9090"],
    [{ unixSocket: "/run/shop.sock" }, "/run/shop.sock"],
  ])("the socket of %j listens at %s", (more, expected) => {
    expect(line(textOf("systemd", more, "shop.socket"), "ListenStream")).toEqual([expected]);
  });

  test("a name is no address for systemd, which is said", () => {
    expect(textOf("systemd", { address: "shop.internal" }, "shop.socket")).toContain(
      "# The file says shop.internal: systemd takes an address only",
    );
  });

  test("the sections are chosen where they are others", () => {
    expect(line(unit({ serverName: "admin" }), "ExecStart")[0]).toMatch(/ \/srv\/shop\/current\/app\.ini --server-name admin$/);
  });
});

describe("nginx", () => {
  test("gives connections up before the server does, whatever that is", () => {
    for (const [keepAliveSeconds, expected] of [
      [75, 70],
      [6, 1],
      [5, 1],
      [1, 1],
      [6.9, 1],
      [120.5, 115],
    ] as const)
      expect([keepAliveSeconds, /keepalive_timeout (\d+)s;/.exec(textOf("nginx", { keepAliveSeconds }))?.[1]]).toEqual([
        keepAliveSeconds,
        String(expected),
      ]);
    expect(textOf("nginx")).toContain("keepalive_timeout 70s;");
  });

  test.each<[Partial<DeploymentPlan>, string, string]>([
    [{}, "server 127.0.0.1:9090;", "real_ip_from = loopback"],
    [{ unixSocket: "/run/shop.sock" }, "server unix:/run/shop.sock;", "real_ip_from = unix"],
  ])("%j is reached at %s, and believed by %s", (more, server, from) => {
    expect(textOf("nginx", more)).toContain(server);
    expect(textOf("nginx", more)).toContain(from);
  });

  test.each([
    [undefined, 1_048_576],
    [10_240, 10_240],
  ])("a largest body of %s bytes passes as %d", (maxBodyBytes, expected) => {
    expect(textOf("nginx", { maxBodyBytes })).toContain(`client_max_body_size ${expected};`);
  });

  test("variables have no dashes, whatever the name has", () => {
    const text = textOf("nginx", { name: "a-b-c" });
    expect(text).toContain("map $http_upgrade $a_b_c_connection {");
    expect(text).not.toMatch(/\$\w*-/);
  });
});

describe("docker", () => {
  const lines = (more: Partial<DeploymentPlan> = {}): string[] => textOf("docker", more, "Dockerfile").split("\n");

  test("the signals reach the server: the exec form, SIGTERM, and a user that is not root", () => {
    expect(lines()).toContain('ENTRYPOINT ["node","node_modules/tsserve/bin/tsserve.js"]');
    expect(lines()).toEqual(expect.arrayContaining(["STOPSIGNAL SIGTERM", "USER node", 'CMD ["app.ini"]']));
  });

  test.each<[Partial<DeploymentPlan>, string]>([
    [{}, "EXPOSE 9090"],
    [{ metricsPort: 6060 }, "EXPOSE 9090 6060"],
  ])("%j: %s", (more, expected) => {
    expect(lines(more)).toContain(expected);
  });

  test.each<[Partial<DeploymentPlan>, string[]]>([
    [{}, ["app.ini"]],
    [{ kind: "thrift" }, ["app.ini"]],
    [{ kind: "other", metricsPort: 6060 }, ["app.ini"]],
    [{ iniPath: "my app.ini" }, ["my app.ini"]],
    // Where the image is told the file by its name, the check is, too.
    [{ iniPath: "configs/live.ini" }, []],
  ])("the health of %j is asked by its file: %j", (more, file) => {
    const command = /CMD (\["node".*healthcheck.*\])/.exec(lines(more).join("\n"))?.[1] ?? "[]";
    expect((JSON.parse(command) as string[]).slice(2)).toEqual(["healthcheck", ...file, "--timeout", "3 seconds"]);
  });

  test.each<Partial<DeploymentPlan>>([
    { kind: "http", serverHealth: "https" },
    { kind: "queue", serverHealth: "none" },
  ])("the health of %j can't be asked, which is said", (more) => {
    expect(lines(more).join("\n")).toMatch(/^# No HEALTHCHECK: /m);
    expect(lines(more).join("\n")).not.toMatch(/^HEALTHCHECK/m);
  });

  test.each<[Partial<DeploymentPlan>, string[]]>([
    [{}, []],
    [{ serverName: "api", appName: "api" }, ["WORKER_TYPE=api"]],
    [{ serverName: "a b", appName: "a b" }, ['WORKER_TYPE="a b"']],
    [{ serverName: "api" }, ["TSSERVE_SERVER_NAME=api"]],
    [{ appName: "api" }, ["TSSERVE_APP_NAME=api"]],
    [{ serverName: "a", appName: "b" }, ["TSSERVE_SERVER_NAME=a", "TSSERVE_APP_NAME=b"]],
  ])("which sections %j serves can be changed where one name says both, and it listens where the section says", (more, expected) => {
    const [, variables = ""] = /^ENV NODE_ENV=production \\\n((?:.*\\\n)*.*)$/m.exec(lines(more).join("\n")) ?? [];
    expect(variables.split(/ \\\n/).map((each) => each.trim())).toEqual(["TSSERVE_BIND=0.0.0.0:*", ...expected]);
  });

  test("a file in configs is chosen by its name, and another by its path", () => {
    expect(lines({ iniPath: "configs/live.ini" })).toContain("ENV CONFIG_NAME=live");
    for (const iniPath of ["app.ini", "configs/deep/live.ini", "configs/.ini", "config/live.ini"])
      expect(lines({ iniPath })).toContain(`CMD ${JSON.stringify([iniPath])}`);
  });

  test("what must not get into the image is left out of it", () => {
    const ignored = textOf("docker", {}, ".dockerignore").split("\n");
    expect(ignored).toEqual(expect.arrayContaining([".git", "node_modules", ".env", ".env.*"]));
  });
});
