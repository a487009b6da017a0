import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";

/** What is looked at of an event. */
export interface SentryEvent {
  readonly level?: string;
  readonly release?: string;
  readonly environment?: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly extra?: Readonly<Record<string, unknown>>;
  readonly exception: { readonly values: readonly { readonly type: string; readonly value: string }[] };
}

export interface FakeSentry extends AsyncDisposable {
  readonly dsn: string;
  readonly events: SentryEvent[];
  /** Everything that came, as text. */
  readonly received: string[];
}

/** What takes envelopes as Sentry does (develop.sentry.dev/sdk/data-model/envelopes). */
export async function fakeSentry(answer: "takes" | "refuses" | "silent" = "takes"): Promise<FakeSentry> {
  const events: SentryEvent[] = [];
  const received: string[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const body = Buffer.concat(parts);
      const text = (request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body).toString();
      received.push(text);
      const lines = text.split("\n");
      for (const [index, line] of lines.entries())
        if (line.startsWith('{"type":"event"')) events.push(JSON.parse(lines[index + 1] ?? "{}") as SentryEvent);
      if (answer !== "silent") response.writeHead(answer === "takes" ? 200 : 403).end("{}");
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    dsn: `http://publickey0123456789@127.0.0.1:${(server.address() as AddressInfo).port}/42`,
    events,
    received,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
