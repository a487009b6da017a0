import type { IncomingMessage } from "node:http";
import { parseProbe, type Health, type PageAccess } from "@tsserve/server";
import { formOf } from "./accept.ts";
import { plain, shared, type Answer, type Page } from "./exporter.ts";
import { overviewOf } from "./overview.ts";
import { metricsPage } from "./page.ts";
import { reasonNotLocal } from "./page-access.ts";
import { contentTypeOf, printParts } from "./print.ts";
import type { View } from "./view.ts";
import { pause } from "./pause.ts";

export interface PagesOptions {
  readonly view: View;
  /** Who may see `/` and what it is fed with. */
  readonly access: PageAccess;
  /** What a probe is answered. */
  readonly health: Pick<Health, "answer"> | undefined;
  /** What is no number: the workers, and what happened to them. */
  fleet(): object;
  /** The last hour; of its points, those after an instant. */
  history(since: number): Promise<object>;
}

/** What the exporter serves, by path. */
export function pagesOf({ view, access, health, fleet, history }: PagesOptions): Map<string, Page> {
  const pages = new Map<string, Page>([["/metrics", (request) => scrape(view, request)]]);
  if (health !== undefined) pages.set("/health", (request) => probe(health, request));
  if (access === "nobody") return pages;
  const page = metricsPage();
  const guarded = (serve: Page): Page => (access === "everybody" ? serve : (request) => refused(request) ?? serve(request));
  pages.set("/", guarded(page));
  pages.set(
    "/metrics.json",
    guarded(() => view.ask("overview", ({ families }) => Promise.resolve(json({ ...overviewOf(families, Date.now()), ...fleet() })))),
  );
  pages.set(
    "/history.json",
    guarded(async ({ url = "" }) => json(await history(Number(new URLSearchParams(url.split("?")[1]).get("since")) || 0))),
  );
  return pages;
}

function scrape(view: View, { headers }: IncomingMessage): Promise<Answer> {
  const form = formOf(headers.accept);
  return view.ask(`${form.format} ${form.version}`, async ({ families, exemplars }) => {
    const parts: Buffer[] = [];
    for (const part of printParts(families, form.format, form.format === "openmetrics" ? exemplars() : new Map())) {
      // As bytes, a part at a time: of the text as a whole, that would hold up the event loop for longer than anything else here.
      parts.push(Buffer.from(part));
      await pause();
    }
    return shared({ status: 200, contentType: contentTypeOf(form), body: Buffer.concat(parts) });
  });
}

/** As the servers themselves answer: readiness unless asked otherwise; an unknown name is taken for readiness, the strictest. */
async function probe(health: Pick<Health, "answer">, { url = "" }: IncomingMessage): Promise<Answer> {
  const written = new URLSearchParams(url.split("?")[1] ?? "").get("type") ?? "readiness";
  const status = await health.answer(parseProbe(written) ?? "readiness");
  return { ...json({ status }), status: status === "ok" ? 200 : 503 };
}

function refused(request: IncomingMessage): Answer | undefined {
  const reason = reasonNotLocal(request);
  return reason === undefined
    ? undefined
    : plain(403, `${reason}: this page is for http://localhost on this machine, unless metrics.page = true; the metrics are at /metrics\n`);
}

function json(value: object): Answer {
  return {
    status: 200,
    contentType: "application/json; charset=utf-8",
    headers: { "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin" },
    body: JSON.stringify(value),
  };
}
