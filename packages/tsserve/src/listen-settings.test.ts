import { isConfigurationError, parseIni, resolveSection } from "@tsserve/config";
import { describe, expect, test } from "vitest";
import { listenSettings, type ListenSettings } from "./listen-settings.ts";

function read(keys: string, binds: readonly string[] = [], node = "24.0.0"): ListenSettings {
  const section = resolveSection(parseIni(`[server:main]\n${keys}`), "server:main", {});
  return listenSettings(section, { binds, includes: [] }, node);
}

function problemOf(keys: string, node?: string): string {
  try {
    read(keys, [], node);
  } catch (error) {
    if (isConfigurationError(error)) return error.message;
    throw error;
  }
  return "";
}

describe("where", () => {
  test.each([
    ["", [], { endpoints: [{ host: "localhost", port: 9090 }], from: "default", beatsFile: false }],
    [
      "bind = :80, [::1]:81, /run/a.sock",
      [],
      { endpoints: [{ host: "", port: 80 }, { host: "::1", port: 81 }, { path: "/run/a.sock" }], from: "file" },
    ],
    ["bind = fd://3, fd://4", [], { endpoints: [{ path: "fd://3" }, { path: "fd://4" }] }],
    ["host = [::1]\nport = 1", [], { endpoints: [{ host: "::1", port: 1 }] }],
    ["port = 1", [":2", "fd://3"].slice(0, 1), { endpoints: [{ host: "", port: 2 }], from: "command line", beatsFile: true }],
    ["", [":2"], { from: "command line", beatsFile: false }],
    ["", ["0.0.0.0:*"], { endpoints: [{ host: "0.0.0.0", port: 9090 }], from: "command line", beatsFile: false }],
    ["host = localhost\nport = 8080", ["0.0.0.0:*"], { endpoints: [{ host: "0.0.0.0", port: 8080 }], beatsFile: true }],
    [
      "bind = 127.0.0.1:80, [::1]:80, /run/a.sock, :443",
      ["[::]:*"],
      {
        endpoints: [
          { host: "::", port: 80 },
          { host: "::", port: 443 },
        ],
      },
    ],
    ["bind = 127.0.0.1:0", ["0.0.0.0:*"], { endpoints: [{ host: "0.0.0.0", port: 9090 }] }],
    ["bind = /run/a.sock", [":*", "/run/b.sock"], { endpoints: [{ host: "", port: 9090 }, { path: "/run/b.sock" }] }],
  ])("%j with --bind %j", (keys, binds, expected) => {
    expect(read(keys, binds)).toMatchObject(expected);
  });
});

test.each(["127.0.0.1:80", "/run/app.sock", "a b", "[::1", "[localhost]", "*", "http://a", "::1]:80"])("host = %s is none", (host) => {
  expect(problemOf(`host = ${host}\nport = 80`)).toMatch(/host: expected a name or an address/);
});

test("how: the defaults, and what is written", () => {
  expect(read("").choices).toEqual({ backlog: 1024, reusePort: false, mode: 0o660, uid: undefined, gid: undefined });
  expect(read("backlog = 5\nsocket_mode = 600\nsocket_user = root\nsocket_group = 7\nreuse_port = true").choices).toEqual({
    backlog: 5,
    reusePort: true,
    mode: 0o600,
    uid: 0,
    gid: 7,
  });
});

test.each([
  ["bind = :1\nhost = x", "bind: expected either bind, or host and port, not both"],
  ["bind = fd://3, :80", "bind: expected either descriptors or addresses, not both"],
  ["bind = fd://x", "bind: expected the number of a descriptor, such as fd://3"],
  ["port = -1", "port: expected a port of 0 to 65535"],
  ["backlog = 0", "backlog: expected more than 0"],
  ["socket_mode = 999", "socket_mode: expected octal permission bits such as 0660"],
  ["socket_user = nobody-of-that-name", "socket_user: expected the name or the number of a user"],
])("%j is wrong", (keys, expected) => {
  expect(problemOf(keys)).toContain(expected);
});

test.each([
  ["20.20.2", true],
  ["22.11.0", true],
  ["22.12.0", false],
  ["23.0.0", true],
  ["24.1.0", false],
])("reuse_port on Node %s: refused %s", (node, isRefused) => {
  expect(problemOf("reuse_port = true", node).includes("needs Node 22.12 or later")).toBe(isRefused);
});
