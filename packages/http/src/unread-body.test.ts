import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { requestKey, type HttpRequest, type TrackedMessage } from "./http-request.ts";
import { endUnread } from "./unread-body.ts";

interface Seen {
  /** What the app heard, in its order. */
  readonly events: string[];
  incoming?: IncomingMessage;
}

/** What an app hears of a request, and what is true of it afterwards. */
async function serve(app: (seen: Seen, ...values: Parameters<RequestListener>) => void, text: string, isOurs: boolean) {
  const seen: Seen[] = [];
  const server = createServer((incoming, response) => {
    if (isOurs) {
      (incoming as TrackedMessage)[requestKey] = { response } as unknown as HttpRequest;
      endUnread(incoming);
    }
    const each: Seen = { events: [], incoming };
    seen.push(each);
    app(each, incoming, response);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1", () => client.write(text));
  let told = "";
  // The second request follows the first one's answer: whatever that left in the parser would be in its way.
  client.on("data", (chunk) => {
    told += chunk.toString("latin1");
    if (told.endsWith("ok") && told.match(/200 OK/g)?.length === 1)
      client.write("GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  });
  await once(client, "close");
  server.close();
  const answers = told.match(/HTTP\/1\.1 \d+/g);
  return {
    answers,
    seen: seen.map(({ events, incoming }) => {
      const { complete, destroyed, closed, readableEnded, readableAborted, readable, errored } = incoming as IncomingMessage;
      return { events, complete, destroyed, closed, readableEnded, readableAborted, readable, errored };
    }),
  };
}

const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
const note = ({ events }: Seen, incoming: IncomingMessage, names: readonly string[]): void => {
  for (const name of names) incoming.on(name, () => events.push(name));
};

const apps: Readonly<Record<string, (seen: Seen, ...values: Parameters<RequestListener>) => void>> = {
  "answers at once": (_seen, _incoming, response) => response.end("ok"),
  "answers later": (_seen, _incoming, response) => void setImmediate(() => response.end("ok")),
  "answers in pieces": (_seen, _incoming, response) => {
    response.setHeader("Content-Length", 2);
    response.write("o");
    setImmediate(() => response.end("k"));
  },
  "listens from the beginning": (seen, incoming, response) => {
    note(seen, incoming, ["end", "close"]);
    response.end("ok");
  },
  "listens to the close alone": (seen, incoming, response) => {
    note(seen, incoming, ["close"]);
    response.end("ok");
  },
  "begins to listen after its answer": (seen, incoming, response) => {
    response.end("ok");
    note(seen, incoming, ["end", "close"]);
  },
  "begins to listen when its answer has left": (seen, incoming, response) => {
    response.on("finish", () => note(seen, incoming, ["end", "close"]));
    response.end("ok");
  },
  "begins to listen when its answer is over": (seen, incoming, response) => {
    response.on("close", () => note(seen, incoming, ["end", "close"]));
    response.end("ok");
  },
  "begins to listen in the callback of its answer": (seen, incoming, response) => {
    response.end("ok", () => note(seen, incoming, ["end", "close"]));
  },
  "reads the body": (seen, incoming, response) => {
    note(seen, incoming, ["data", "end", "close"]);
    incoming.on("end", () => response.end("ok"));
  },
  "reads the body after the answer": (seen, incoming, response) => {
    response.end("ok");
    note(seen, incoming, ["data", "end", "close"]);
  },
  "begins to read, and stops": (_seen, incoming, response) => {
    incoming.resume();
    incoming.pause();
    setImmediate(() => response.end("ok"));
  },
  "throws the body away": (_seen, incoming, response) => {
    incoming.resume();
    setImmediate(() => response.end("ok"));
  },
};

describe("a request's end is as Node has it, whatever the app does", () => {
  for (const [name, text] of [
    ["GET", get],
    ["POST", post],
  ] as const) {
    test.each(Object.keys(apps))(`${name}: one that %s`, async (app) => {
      const ours = await serve(apps[app] as (typeof apps)[string], text, true);
      const nodes = await serve(apps[app] as (typeof apps)[string], text, false);
      expect(ours).toEqual(nodes);
      expect(ours.answers).toHaveLength(2);
    });
  }
});

test("without a listener nothing is emitted", async () => {
  const names: string[] = [];
  const app = (_seen: Seen, ...[incoming, response]: Parameters<RequestListener>): void => {
    const { emit } = incoming;
    incoming.emit = (event: string, ...values: unknown[]) => {
      names.push(event);
      return emit.call(incoming, event, ...values);
    };
    response.end("ok");
  };
  await serve(app, get, true);
  expect(names.filter((name) => name === "end" || name === "close")).toEqual([]);
});
