import { until } from "@tsserve/testing";
import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { get } from "./support/fleet.ts";
import { hasProgram, measuredFleet } from "./support/measured.ts";

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

  test("shows all workers, live, restarts and blocks; works with the keyboard, light and dark", async () => {
    await using fleet = await measuredFleet({
      workers: 3,
      args: ["--debug"],
      server: "monitoring.blocked_hub = 100 milliseconds\nmonitoring.connection_pool = true",
      app: `
      export const makeApp = (config, { registerPool }) => {
        registerPool("database", () => ({ size: 8, idle: 5, inUse: 3, waiting: 0 }));
        return (request, response) => {
          if (request.url === "/block") for (const end = Date.now() + 300; Date.now() < end; );
          if (request.url === "/die") process.kill(process.pid, "SIGKILL");
          response.end(JSON.stringify({ greeting: "one", pid: process.pid }));
        };
      };`,
    });
    const listens = ({ msg }: { msg: string }): boolean => msg.startsWith("the watchdog thread listens");
    await until("the watchdogs", () => fleet.logs().filter(listens).length === 3);
    await get(fleet, "/block");
    await fetch(`http://127.0.0.1:${fleet.port}/die`).catch(() => undefined);
    await fleet.settled(3);
    const { page, complaints } = await open(fleet.metrics, "light");
    await page.getByRole("status").getByText("3 workers").waitFor();
    const workers = page.locator("#workers tbody tr");
    await expect.poll(() => workers.count()).toBe(3);
    await expect
      .poll(() => workers.allInnerTexts(), { timeout: 10_000 })
      .toEqual(Array(3).fill(expect.stringMatching(/^\d\s+1\s+\d+\s+up/)));
    // What happens is seen without a reload.
    for (let n = 0; n < 40; n++) await get(fleet);
    await expect.poll(() => page.locator("#endpoints tbody tr").first().innerText(), { timeout: 15_000 }).toMatch(/^get \*\s+4\d/);
    const rates = page.getByRole("img", { name: /^Requests per second: all / });
    await expect.poll(() => rates.locator("path").first().getAttribute("d"), { timeout: 15_000 }).toMatch(/^M[\d. ]+L/);
    expect(await page.locator("#pools tbody tr").first().innerText()).toMatch(/database\s+\d+\s+8\s+3\s+5\s+0/);
    await page
      .locator("#restarts summary")
      .getByText(/was ended by SIGKILL/)
      .waitFor();
    await page.locator("#blocks summary").click();
    await page
      .locator("#blocks pre")
      .getByText(/app\.js/)
      .waitFor();
    // By keyboard alone: the first stops are the span of the plots and the pause.
    await page.locator("h1").click();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    expect(await page.evaluate("document.activeElement.id")).toBe("pause");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Go on" }).waitFor();
    expect(complaints).toEqual([]);

    const { page: dark, complaints: inDark } = await open(fleet.metrics, "dark");
    const background = (of: Page): Promise<string> => of.evaluate("getComputedStyle(document.body).backgroundColor");
    expect([await background(page), await background(dark)]).toEqual(["rgb(255, 255, 255)", "rgb(13, 17, 23)"]);
    expect(inDark).toEqual([]);
    // A master that has gone is said to have.
    fleet.kill("SIGTERM");
    await fleet.exited();
    await dark.getByRole("status").getByText("no answer").waitFor();
  });
});

test("metrics.page = false turns it off, and leaves the metrics", async () => {
  await using fleet = await measuredFleet({ workers: 1, server: "metrics.page = false" });
  const status = async (path: string): Promise<number> => (await fetch(`http://127.0.0.1:${fleet.metrics}${path}`)).status;
  expect([await status("/"), await status("/metrics.json"), await status("/metrics")]).toEqual([404, 404, 200]);
});
