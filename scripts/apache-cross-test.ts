// Apache's own cross test: ThriftTest.thrift served by tsserve for Apache's test clients, in every form that they speak.
//
//     git clone --depth 1 --branch v0.17.0 https://github.com/apache/thrift /tmp/thrift
//     node --import tsx scripts/apache-cross-test.ts /tmp/thrift
//
// Debian's packages carry the compiler and the Python library, but not the tests: they come from the source of the
// same version, 0.17.0 for Debian 12. Of the Node client the promise style is run, on the npm package `thrift`.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { spawnTsserve } from "@tsserve/testing";

const [source] = process.argv.slice(2);
if (source === undefined || !existsSync(join(source, "test/ThriftTest.thrift"))) {
  console.error("expected the folder of Apache Thrift's source: node --import tsx scripts/apache-cross-test.ts FOLDER");
  process.exit(2);
}
const workspace = fileURLToPath(new URL("../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "tsserve-cross-test-"));
const idl = join(folder, "test/ThriftTest.thrift");

/** What the Node client's driver uses of the package `tape`. */
const tape = `const assert = require("node:assert");
module.exports = (name, run) => run({
  ...assert, end() {}, comment() {}, error: (error, message) => assert.ifError(error, message),
  equal: assert.equal, deepEqual: assert.deepEqual, ok: assert.ok, strictEqual: assert.strictEqual, fail: assert.fail,
});`;
const nodeClient = `const thrift = require("thrift");
const helpers = require("./helpers");
const { ThriftTestDriverPromise } = require("./test_driver");
const [port, transport, protocol, type] = process.argv.slice(2);
const connection = thrift.createConnection("127.0.0.1", Number(port), { transport: helpers.transports[transport], protocol: helpers.protocols[protocol] });
connection.on("error", (error) => { throw error; });
process.on("unhandledRejection", (error) => { throw error; });
const service = require("./gen-nodejs-es6/ThriftTest");
const client = type === "multiplex"
  ? new thrift.Multiplexer().createClient("ThriftTest", service, connection)
  : thrift.createClient(service, connection);
ThriftTestDriverPromise(client, (status) => { console.log(status); connection.end(); process.exit(0); });
setTimeout(() => { throw new Error("no end within 30 s"); }, 30_000);`;

function run(command: string, ...args: readonly string[]): { readonly ok: boolean; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8", cwd: folder, timeout: 120_000 });
  return { ok: status === 0, output: `${stdout}${stderr}` };
}

function generate(style: string, out: string): void {
  mkdirSync(out, { recursive: true });
  const { ok, output } = run("thrift", "--gen", style, "-out", out, idl);
  if (!ok) throw new Error(`thrift --gen ${style}: ${output}`);
}

let failed = 0;
let passed = 0;
function report(name: string, { ok, output }: { readonly ok: boolean; readonly output: string }): void {
  if (ok) passed += 1;
  else failed += 1;
  const tests = /^Ran \d+ tests/m.exec(output)?.[0];
  console.log(`${ok ? "ok" : "FAILED"}  ${name}${tests === undefined ? "" : ` (${tests})`}`);
  if (!ok) console.log(output.split("\n").slice(-30).join("\n"));
}

try {
  for (const part of ["test/ThriftTest.thrift", "test/py", "lib/nodejs/test"])
    cpSync(join(source, part), join(folder, part), { recursive: true });
  symlinkSync(join(workspace, "node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "test/py/util.py"), 'def local_libpath():\n    return "/usr/lib/python3/dist-packages"\n');
  mkdirSync(join(folder, "lib/nodejs/lib"));
  writeFileSync(join(folder, "lib/nodejs/lib/thrift.js"), 'module.exports = require("thrift");\n');
  mkdirSync(join(folder, "lib/nodejs/test/node_modules/tape"), { recursive: true });
  writeFileSync(join(folder, "lib/nodejs/test/node_modules/tape/index.js"), tape);
  writeFileSync(join(folder, "lib/nodejs/test/cross-client.js"), nodeClient);
  generate("py", join(folder, "gen-py"));
  generate("js:node,es6", join(folder, "lib/nodejs/test/gen-nodejs-es6"));

  for (const multiplexed of [false, true]) {
    writeFileSync(
      join(folder, "app.ini"),
      `[server:main]\nfactory = tsserve/thrift\naccess_log = false\nmetrics.enabled = false\n[app:main]\nfactory = ${workspace}test/fixtures/apps/apache-thrift-test.js:makeApp\nidl = ${idl}\nmultiplexed = ${multiplexed}\n`,
    );
    await using server = spawnTsserve({ args: ["app.ini", "--bind", "127.0.0.1:0"], cwd: folder });
    const { port } = new URL((await server.listening()).replace("thrift:", "http:"));
    for (const transport of ["buffered", "framed"]) {
      const protocols = multiplexed
        ? ["multi", "multia", "multic", "multiac", "multih"]
        : ["binary", "accel", "compact", "accelc", "header"];
      for (const protocol of protocols) {
        // THeader frames its messages itself.
        if (protocol.endsWith("h") && transport === "framed") continue;
        if (protocol === "header" && transport === "framed") continue;
        const args = [
          "--genpydir",
          join(folder, "gen-py"),
          "--host",
          "127.0.0.1",
          "--port",
          port,
          "--protocol",
          protocol,
          "--transport",
          transport,
        ];
        report(`Python, ${transport}, ${protocol}`, run("/usr/bin/python3", join(folder, "test/py/TestClient.py"), ...args));
      }
      for (const protocol of ["binary", "compact"]) {
        const type = multiplexed ? "multiplex" : "tcp";
        const client = join(folder, "lib/nodejs/test/cross-client.js");
        report(`Node, ${transport}, ${protocol}, ${type}`, run(process.execPath, client, port, transport, protocol, type, "--es6"));
      }
    }
    server.kill("SIGTERM");
    const { code } = await server.exited();
    report(`the server ends with ${code}`, { ok: code === 0, output: server.stdout() });
  }
} finally {
  rmSync(folder, { recursive: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
