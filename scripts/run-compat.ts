// Serves the apps of compat/ with the versions that they name: npm run test:compat -- [beginning of names]
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, spawnTsserve, until } from "@tsserve/testing";

const root = fileURLToPath(new URL("../compat", import.meta.url));
const wanted = process.argv.slice(2);
const rows = readdirSync(root, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && (wanted.length === 0 || wanted.some((each) => entry.name.startsWith(each))))
  .map(({ name }) => name);

interface Row {
  readonly endpoint: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

function rowOf(name: string): Row {
  const manifest = JSON.parse(readFileSync(join(root, name, "package.json"), "utf8")) as {
    compat: { endpoint: string };
    dependencies: Record<string, string>;
  };
  return { endpoint: manifest.compat.endpoint, dependencies: manifest.dependencies };
}

const folder = mkdtempSync(join(tmpdir(), "tsserve-compat-"));

/** What a registry does not give at once it mostly gives at the second or third time. */
const installAttempts = 3;

async function install(name: string): Promise<void> {
  const target = join(folder, name);
  cpSync(join(root, name), target, { recursive: true });
  for (let attempt = 1; ; attempt += 1) {
    const npm = spawn("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error", "--ignore-scripts"], {
      cwd: target,
      stdio: ["ignore", "ignore", "inherit"],
    });
    const [code] = (await once(npm, "exit")) as [number | null];
    if (code === 0) break;
    if (attempt === installAttempts) throw new Error(`npm install ended with ${code}, ${attempt} times`);
  }
  if (name !== "fastify-latest") return;
  // The same app once more, with its packages behind a link: two paths to one copy.
  const linked = join(folder, `${name}-linked`);
  cpSync(join(root, name), linked, { recursive: true });
  mkdirSync(join(folder, "elsewhere"));
  cpSync(join(target, "node_modules"), join(folder, "elsewhere", "node_modules"), { recursive: true });
  symlinkSync(join(folder, "elsewhere", "node_modules"), join(linked, "node_modules"));
}

const secret = "hunter2-compat";

async function serve(name: string, { endpoint, dependencies }: Row, args: readonly string[]): Promise<void> {
  const metrics = await freePort();
  const env = { METRICS_PORT: String(metrics) };
  await using server = spawnTsserve({ args: ["app.ini", "--bind", "127.0.0.1:0", ...args], cwd: join(folder, name), env });
  // Some frameworks take their time on a busy machine.
  await until("the start", () => server.logs().some(({ msg }) => msg.startsWith("listening on ")) || undefined, { timeoutMs: 60_000 });
  // Of a fleet it is the master that knows the port.
  const base =
    args.length > 0
      ? ((await server.log(/^master of/))["addresses"] as string[]).map((address) => `http://${address}`)[0]
      : await server.listening();
  if (args.length > 0) await server.log(/^listening on/);
  const headers = { authorization: secret, cookie: `session=${secret}` };
  const path = endpoint.startsWith("/") ? endpoint.replace(/:id|\{id\}/, "7") : "/users/7";
  expect(name, "the answer", await (await fetch(`${base}${path}`, { headers })).text(), (text) => text === '{"id":"7"}');
  expect(name, "the status of a failure", (await fetch(`${base}/fails`, { headers })).status, (status) => status === 500);
  await until("the error in the log", () => told(server, "by design") > 0 || undefined);
  const page = async (): Promise<string> => (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text().catch(() => "");
  await until(
    `the endpoint ${endpoint} of ${name}`,
    async () => (await page().catch(() => "")).includes(`http_endpoint="${endpoint}"`) || undefined,
  );
  if ("prom-client" in dependencies)
    for (const metric of ["compat_mine_total 1", "compat_given_total 1"])
      await until(metric, async () => (await page()).includes(metric) || undefined);
  const slow = Array.from({ length: 20 }, async () => (await fetch(`${base}/slow`)).text());
  // A request that has not arrived when the stop begins may be refused, which is no fault.
  await until("20 slow requests after two others", async () => arrived(await page()) >= 22 || undefined, { timeoutMs: 60_000 });
  server.kill();
  expect(name, "answers during the stop", (await Promise.all(slow)).filter((text) => /slow/.test(text)).length, (count) => count === 20);
  expect(name, "the exit code", (await server.exited()).code, (code) => code === 0);
  // Some frameworks tell it on stderr, in a way of their own; in the log it stands once.
  expect(name, "how often the error was logged", linesWith(server.stdout(), "by design"), (count) => count <= 1);
  expect(name, "a header in the log", server.stdout().includes(secret), (found) => !found);
  if ("fastify" in dependencies)
    for (const text of ["compat: from the app", "compat: from a request"]) expect(name, text, told(server, text), (count) => count >= 1);
}

/** How many requests have arrived, by the metrics: those that are answered, and those that are not yet. */
function arrived(metrics: string): number {
  const lines = metrics.split("\n").filter((line) => /^(runtime_active_requests|http_server_requests_total)[ {]/.test(line));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

function told(server: { stdout: () => string; stderr: () => string }, text: string): number {
  return linesWith(server.stdout(), text) + linesWith(server.stderr(), text);
}

function linesWith(output: string, text: string): number {
  return output.split("\n").filter((line) => line.includes(text)).length;
}

function expect<T>(name: string, what: string, found: T, isRight: (found: T) => boolean): void {
  if (!isRight(found)) throw new Error(`${name}: ${what}: found ${JSON.stringify(found)}`);
}

const failed: string[] = [];
async function run(name: string, row: Row, args: readonly string[] = []): Promise<void> {
  const begun = Date.now();
  try {
    await serve(name, row, args);
    console.log(`${[name, ...args].join(" ")}: well, ${Date.now() - begun} ms`);
  } catch (error) {
    failed.push(name);
    console.error(`${[name, ...args].join(" ")}: ${(error as Error).message}`);
  }
}

try {
  for (const name of rows) {
    try {
      await install(name);
    } catch (error) {
      failed.push(name);
      console.error(`${name}: ${(error as Error).message}`);
      continue;
    }
    await run(name, rowOf(name));
    if (name !== "fastify-latest") continue;
    await run(`${name}-linked`, rowOf(name));
    await run(`${name}-linked`, rowOf(name), ["--workers", "2"]);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(failed.length === 0 ? `all of ${rows.length} rows are well` : `failed: ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
