import { request as send } from "node:http";
import { networkInterfaces } from "node:os";
import { freePort, until } from "@tsserve/testing";
import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { get } from "./support/fleet.ts";
import { hasProgram, measuredFleet } from "./support/measured.ts";
import { serve } from "./support/serve.ts";

const executablePath = "/usr/bin/chromium";

describe.runIf(hasProgram(executablePath))("the page of the metrics, in Chromium", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  });
  afterAll(() => browser.close());

  /** A page that must not complain: of its policy, of its script, of anything that is not there. */
  async function open(port: number, colorScheme: "light" | "dark"): Promise<{ page: Page; complaints: string[] }> {
    const page = await browser.newPage({ colorScheme });
    const complaints: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("request", (request) => {
      if (!request.url().startsWith(`http://127.0.0.1:${port}/`)) complaints.push(`asks for ${request.url()}`);
    });
    const response = await page.goto(`http://127.0.0.1:${port}/`);
    expect(response?.headers()["content-security-policy"]).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+'; /,
    );
    return { page, complaints };
  }

  const blocksAndDies = `
      export const makeApp = (config, { registerPool }) => {
        registerPool("database", () => ({ size: 8, idle: 5, inUse: 3, waiting: 1 }));
        return (request, response) => {
          if (request.url === "/block") for (const end = Date.now() + 300; Date.now() < end; );
          if (request.url === "/fail") response.statusCode = 500;
          if (request.url.startsWith("/hang")) return;
          response.end(JSON.stringify({ greeting: "one", pid: process.pid }));
        };
      };`;

  test("shows the last hour at once, and goes on: workers, endpoints, what happened; by keyboard, light and dark, wide and narrow", async () => {
    await using fleet = await measuredFleet({
      workers: 3,
      args: ["--debug"],
      server: "monitoring.blocked_hub = 100 milliseconds\nmonitoring.connection_pool = true",
      app: blocksAndDies,
    });
    const listens = ({ msg }: { msg: string }): boolean => msg.startsWith("the watchdog thread listens");
    await until("the watchdogs", () => fleet.logs().filter(listens).length === 3);
    await get(fleet, "/block");
    void fetch(`http://127.0.0.1:${fleet.port}/hang/an/order`).catch(() => undefined);
    for (let n = 0; n < 40; n++) await get(fleet, "/fail");
    const history = async (): Promise<{ points: object[] }> =>
      (await (await fetch(`http://127.0.0.1:${fleet.metrics}/history.json`)).json()) as Awaited<ReturnType<typeof history>>;
    await until("what the servers kept", async () => (await history()).points.length > 0, { timeoutMs: 30_000 });
    const busy = await until("the one that serves what hangs", async () =>
      ((await fleet.status()).workers as { pid: number; active_requests?: number }[]).find((worker) => (worker.active_requests ?? 0) > 0),
    );
    process.kill(busy.pid, "SIGKILL");
    await until("it to have gone", async () => !(await fleet.status()).workers.some(({ pid }) => pid === busy.pid));
    await fleet.settled(3);
    const { page, complaints } = await open(fleet.metrics, "light");
    await page.getByRole("status").getByText("Something is wrong").waitFor();
    await page
      .locator("#findings")
      .getByText(/died, the last at \d\d:\d\d:\d\d/)
      .waitFor();
    // What was before the page was opened is there before it has seen anything.
    const rates = page.getByRole("img", { name: /^Requests per second, now: all / });
    expect(await rates.locator("path.main").getAttribute("d")).toMatch(/^M\d/);
    const workers = page.locator("#workers tbody tr");
    await expect.poll(() => workers.count()).toBe(3);
    await expect
      .poll(() => workers.allInnerTexts(), { timeout: 10_000 })
      .toEqual(Array(3).fill(expect.stringMatching(/^\d\s+up\s+1\s+\d+/)));
    // What happens is seen without a reload.
    for (let n = 0; n < 40; n++) await get(fleet);
    await expect.poll(() => page.locator("#endpoints tbody tr").first().innerText(), { timeout: 15_000 }).toMatch(/^GET \*\s+[89]\d/);
    await expect.poll(() => rates.locator("path.main").getAttribute("d"), { timeout: 15_000 }).toMatch(/^M[\d. ]+L/);
    expect(await page.locator("#pools tbody tr").first().innerText()).toMatch(/database\s+3\s+24\s+9\s+15\s+3/);
    const event = (text: RegExp): ReturnType<Page["locator"]> => page.locator("#events details").filter({ hasText: text });
    const dead = event(/was ended by SIGKILL/).filter({ hasText: /GET \/hang\/an\/order for/ });
    await dead.locator("summary").click();
    await dead.getByText("Its last seconds").waitFor();
    await dead.getByText(/heap [\d.]+ MB of/).waitFor();
    const blocked = event(/stood still/).filter({ hasText: /app\.js/ });
    await blocked.first().locator("summary").click();
    await blocked
      .first()
      .locator("pre")
      .first()
      .getByText(/app\.js/)
      .waitFor();
    await event(/\d+ of \d+ requests of pid \d+ failed/)
      .first()
      .waitFor();
    // By keyboard alone: the span of the plots, the pause, a plot's figures in time, the order of the endpoints.
    await page.locator("h1").click();
    await page.keyboard.press("Tab");
    // A young server's plots begin with the shortest span that has all that is known.
    expect(await page.locator("#span input:checked").inputValue()).toBe("300");
    await page.keyboard.press("ArrowRight");
    expect(await page.locator("#span input:checked").inputValue()).toBe("900");
    await page.keyboard.press("Tab");
    expect(await page.evaluate("document.activeElement.id")).toBe("pause");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Go on" }).waitFor();
    await page.locator("svg").first().focus();
    await page.keyboard.press("ArrowLeft");
    await page.getByRole("img", { name: /^Latency, at \d\d:\d\d:\d\d: / }).waitFor();
    await page.getByRole("button", { name: "Endpoint" }).press("Enter");
    expect(await page.locator("#endpoints th").first().getAttribute("aria-sort")).toBe("ascending");
    expect(complaints).toEqual([]);

    const { page: dark, complaints: inDark } = await open(fleet.metrics, "dark");
    await dark.setViewportSize({ width: 400, height: 800 });
    await dark.locator("#events details").first().waitFor();
    const background = (of: Page): Promise<string> => of.evaluate("getComputedStyle(document.body).backgroundColor");
    expect([await background(page), await background(dark)]).toEqual(["rgb(245, 247, 250)", "rgb(14, 18, 23)"]);
    // Nothing is cut: neither the page nor any cell is wider than there is room.
    const cut = `[...document.querySelectorAll("td, #events li, figure, .legend")].filter((each) => each.scrollWidth > each.clientWidth + 1).map((each) => each.textContent)`;
    expect(await dark.evaluate("document.documentElement.scrollWidth")).toBe(400);
    expect(await dark.evaluate(cut)).toEqual([]);
    expect(await dark.locator("#endpoints tbody tr").first().innerText()).toMatch(/GET \*/);
    await dark.getByLabel("Sort by").selectOption("In progress");
    expect(inDark).toEqual([]);
    // A master that has gone is said to have.
    fleet.kill("SIGTERM");
    await fleet.exited();
    await dark.getByRole("status").getByText("No answer").waitFor();
  });

  test("does not jump while it goes on, and says that all is well", async () => {
    await using fleet = await measuredFleet({ workers: 1 });
    for (let n = 0; n < 5; n++) await get(fleet);
    const { page, complaints } = await open(fleet.metrics, "light");
    await page.getByRole("status").getByText("All is well").waitFor();
    const places = `JSON.stringify([...document.querySelectorAll("section, figure, th")].map((each) => Math.round(each.getBoundingClientRect().top)))`;
    const before = await page.evaluate(places);
    const value = page.locator("#endpoints tbody td").nth(1);
    for (let n = 0; n < 20; n++) await get(fleet);
    await expect.poll(() => value.innerText(), { timeout: 15_000 }).toBe("25");
    expect(await page.evaluate(places)).toBe(before);
    expect(complaints).toEqual([]);
  });
});

/** A request with a `Host` of one's own, which `fetch` does not let one choose. */
function ask(port: number, path: string, headers: Readonly<Record<string, string>> = {}, address = "127.0.0.1"): Promise<number> {
  return new Promise((resolve, reject) => {
    send({ host: address, port, path, headers, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on("error", reject)
      .end();
  });
}

describe("who is shown the page", () => {
  const private_ = ["/", "/metrics.json", "/history.json"];
  const statuses = async (port: number, headers: Readonly<Record<string, string>>, address?: string): Promise<number[]> =>
    await Promise.all([...private_, "/metrics", "/health"].map((path) => ask(port, path, headers, address)));
  const all = [200, 200, 200, 200, 200];
  const onlyMetrics = [403, 403, 403, 200, 200];

  test("auto: who asks from this machine for this machine, so that no page of the web reads it by a name of its own", async () => {
    const metrics = await freePort();
    await using served = serve({ server: { access_log: "false", "metrics.endpoint": `:${metrics}` } });
    await served.log(/^metrics at /);
    for (const host of [`localhost:${metrics}`, "LOCALHOST", `127.0.0.1:${metrics}`, "[::1]:6060", "app.localhost"])
      expect(await statuses(metrics, { Host: host }), host).toEqual(all);
    for (const host of ["rebind.example", `rebind.example:${metrics}`, "localhost.rebind.example", "0.0.0.0"])
      expect(await statuses(metrics, { Host: host }), host).toEqual(onlyMetrics);
    expect(await statuses(metrics, { Host: "localhost", "X-Forwarded-For": "10.0.0.7" })).toEqual(onlyMetrics);
    // Over IPv6, where there is some: an IPv4 client of a socket for both is shown as ::ffff:127.0.0.1.
    const outside = Object.values(networkInterfaces())
      .flat()
      .find((each) => each?.internal === false && each.family === "IPv4");
    if (outside !== undefined) expect(await statuses(metrics, { Host: "localhost" }, outside.address)).toEqual(onlyMetrics);
  });

  test("true: everybody; false: nobody; anything else is a mistake", async () => {
    const [open, closed] = [await freePort(), await freePort()];
    await using everybody = serve({ server: { "metrics.endpoint": `127.0.0.1:${open}`, "metrics.page": "true" } });
    await using nobody = serve({ server: { "metrics.endpoint": `127.0.0.1:${closed}`, "metrics.page": "false" } });
    await everybody.log(/^metrics at /);
    await nobody.log(/^metrics at /);
    expect(await statuses(open, { Host: "rebind.example" })).toEqual(all);
    expect(await statuses(closed, { Host: "localhost" })).toEqual([404, 404, 404, 200, 200]);
    await using wrong = serve({ server: { "metrics.page": "loopback" } });
    expect(await wrong.exited()).toMatchObject({ code: 2 });
    expect(wrong.stderr()).toMatch(/app\.ini:\d+: \[server:main\] metrics\.page: expected auto, true or false/);
  });
});

test("the last hour, as JSON and for a terminal; what died is in it with what it was serving, and no secret", async () => {
  await using fleet = await measuredFleet({
    workers: 2,
    app: `export const makeApp = () => (request, response) => {
      if (request.url.startsWith("/hang")) return;
      if (request.url === "/says") console.error("the password is hunter2-of-the-database");
      response.end(JSON.stringify({ pid: process.pid }));
    };`,
    server: "stop_timeout = 1",
    more: "password = hunter2-of-the-database",
  });
  const hung = fetch(`http://127.0.0.1:${fleet.port}/hang?token=hunter2-of-the-database`).catch(() => undefined);
  type Workers = readonly { readonly pid: number; readonly active_requests?: number }[];
  const workers = async (): Promise<Workers> => (await fleet.status()).workers;
  const busy = await until("the one that serves it", async () =>
    (await workers()).find(({ active_requests: active }) => (active ?? 0) > 0),
  );
  for (let n = 0; n < 8; n++) await get(fleet, "/says");
  const history = async (): Promise<Record<"events" | "records" | "points", Record<string, unknown>[]>> =>
    JSON.parse((await fleet.ctl("history", "--json")).stdout) as Awaited<ReturnType<typeof history>>;
  await until("what was kept", async () => (await history()).points.length > 0, { timeoutMs: 30_000 });
  process.kill(busy.pid, "SIGKILL");
  await hung;
  const { events, records } = await until("the death", async () => {
    const found = await history();
    return found.events.some(({ type }) => type === "died") ? found : undefined;
  });
  expect(events).toContainEqual(
    expect.objectContaining({
      type: "died",
      pid: busy.pid,
      text: expect.stringMatching(/^worker \d \(generation 1, pid \d+\) was ended by SIGKILL$/) as string,
    }),
  );
  expect(records).toMatchObject([{ pid: busy.pid, active_requests: 1, requests: [{ method: "GET" }] }]);
  expect(JSON.stringify([events, records])).not.toContain("hunter2");
  expect((await fleet.ctl("upgrade")).code).toBe(0);
  // Events are kept a moment after they happen.
  const told = await until("the upgrade in the history", async () => {
    const printed = await fleet.ctl("history");
    return printed.stdout.includes("upgraded to generation 2") ? printed : undefined;
  });
  expect(told.stdout).toMatch(/^UNTIL {2}WORKERS {2}REQUESTS\/S/);
  expect(told.stdout).toMatch(/^\d\d:\d\d:\d\d {2}died {7}worker \d/m);
  expect(told.stdout).toMatch(/^\d\d:\d\d:\d\d {2}upgraded {3}upgraded to generation 2 in \d+ ms$/m);
  expect(told.stdout).toMatch(/^ +GET \/hang\S* for [\d.]+ m?s$/m);
  expect(told.stdout).not.toContain("hunter2");
});

test("probes are answered on the exporter's port, too, also while the server stops", async () => {
  const metrics = await freePort();
  const server = { "metrics.endpoint": `127.0.0.1:${metrics}`, drain_time: "30 seconds" };
  await using served = serve({ app: "health-checks.js", server });
  await served.log(/^metrics at /);
  const probe = async (type?: string): Promise<[number, unknown]> => {
    const response = await fetch(`http://127.0.0.1:${metrics}/health${type === undefined ? "" : `?type=${type}`}`);
    return [response.status, await response.json()];
  };
  for (const type of ["LIVENESS", "2"]) expect(await probe(type), type).toEqual([200, { status: "ok" }]);
  for (const type of [undefined, "readiness", "1", "startup", "3", "nonsense"])
    expect(await probe(type), type).toEqual([503, { status: "unhealthy" }]);
  served.kill();
  await served.log(/readiness fails from now on/);
  expect(await probe("readiness")).toEqual([503, { status: "shutting_down" }]);
  served.kill("SIGKILL");
});
