import { receive, type Answer } from "./receiver.ts";

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
export async function fakeSentry(answer: Answer = "takes"): Promise<FakeSentry> {
  const events: SentryEvent[] = [];
  const received: string[] = [];
  const receiver = await receive({
    answer,
    refusal: 403,
    taken: () => undefined,
    received: (body) => {
      const text = body.toString();
      received.push(text);
      const lines = text.split("\n");
      for (const [index, line] of lines.entries())
        if (line.startsWith('{"type":"event"')) events.push(JSON.parse(lines[index + 1] ?? "{}") as SentryEvent);
    },
  });
  return {
    dsn: `http://publickey0123456789@127.0.0.1:${receiver.port}/42`,
    events,
    received,
    [Symbol.asyncDispose]: () => receiver[Symbol.asyncDispose](),
  };
}
