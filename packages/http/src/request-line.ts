import type { LineSink } from "@tsserve/server";
import { recordFields, textField } from "./access-line.ts";
import { headerText, isAborted, pageOf, pathOf, printable, recordOf, tlsVersionOf, toldHeaders } from "./access-record.ts";
import { bodyBytesOf } from "./body-bytes.ts";
import { addressOf } from "./client.ts";
import { isOwnRequestId, patternOf, type HttpRequest } from "./http-request.ts";

/** As many different texts of a kind are remembered; then it is begun anew. */
const mostRemembered = 500;
/** Longer texts are composed each time. */
const longestRemembered = 256;

/**
 * Parts of lines that come again and again, such as a client's name for itself: composed once, as long as they are the same. A part costs
 * more to compose (to escape, to look for secrets in it) than all else of a line.
 */
class Parts {
  private readonly compose: (text: string) => string;
  private readonly known = new Map<string, string>();
  private last: string | undefined = undefined;
  private lastPart = "";

  constructor(compose: (text: string) => string) {
    this.compose = compose;
  }

  of(text: string | undefined): string {
    if (text === undefined) return "";
    if (text === this.last) return this.lastPart;
    let part = this.known.get(text);
    if (part === undefined) {
      part = this.compose(text);
      if (text.length > longestRemembered) return part;
      if (this.known.size >= mostRemembered) this.known.clear();
      this.known.set(text, part);
    }
    this.last = text;
    this.lastPart = part;
    return part;
  }
}

/**
 * Parts in a row, which are as a rule the same as in the line before: then they are one text. V8 keeps a text that is put together as a
 * tree of its pieces, and walks through it when it is written.
 */
class Row {
  private parts: readonly [string, string, string, string, string] = ["", "", "", "", ""];
  private text = "";

  of(one: string, two: string, three: string, four = "", five = ""): string {
    const { parts } = this;
    if (one !== parts[0] || two !== parts[1] || three !== parts[2] || four !== parts[3] || five !== parts[4]) {
      this.parts = [one, two, three, four, five];
      this.text = `${one}${two}${three}${four}${five}`;
    }
    return this.text;
  }
}

/** What takes secrets and control characters out of parts of a line; its revision changes when a part has to be cleaned anew. */
export type Cleaner = Pick<LineSink, "clean" | "mayMask" | "revision">;

/**
 * Composes what a line says of a request: what `recordFields(recordOf(…))` gives, cleaned, at a fraction of its cost, which is a tenth of a
 * small request's.
 */
export class RequestLine {
  readonly #bodyLimit: string;
  readonly #cleaner: Cleaner;
  #cleanedFor = Number.NaN;
  #methods = new Parts(String);
  #routes = this.#methods;
  /** Where there is no pattern of a route: the path. */
  #unrouted = this.#methods;
  #paths = this.#methods;
  #versions = this.#methods;
  #hosts = this.#methods;
  #clients = this.#methods;
  #agents = this.#methods;
  #referers = this.#methods;
  readonly #asked = new Row();
  readonly #asking = new Row();

  /** @param bodyLimit as it is written */
  constructor(bodyLimit: string, cleaner: Cleaner) {
    this.#bodyLimit = bodyLimit;
    this.#cleaner = cleaner;
  }

  /** Each field with a comma before it. */
  fieldsOf(request: HttpRequest, endedAt: number): string {
    const { status, refusal, incoming, response, connection, trace } = request;
    // What was refused, or broken off, is told of at length, and seldom.
    if (refusal !== undefined || status === undefined || status === 413 || response === undefined || isAborted(request))
      return this.#cleaner.clean(recordFields(recordOf(request, endedAt, this.#bodyLimit)));
    if (this.#cleanedFor !== this.#cleaner.revision) this.#begin();
    const { host, agent, referer } = toldHeaders(incoming);
    const { url, id, upstreamId } = request;
    const pattern = patternOf(request);
    const tls = tlsVersionOf(connection.socket);
    const { traceId, spanId, isNew } = trace;
    const isKnownClean = isOwnRequestId(id) && upstreamId === undefined;
    const isIdClean = isKnownClean || !this.#cleaner.mayMask(id);
    const areClean = isNew === true || !(this.#cleaner.mayMask(traceId) || this.#cleaner.mayMask(spanId));
    const ids =
      isIdClean && areClean
        ? `,"req_id":"${id}","trace_id":"${traceId}","span_id":"${spanId}"`
        : this.#cleaner.clean(`${textField("req_id", id)},"trace_id":"${traceId}","span_id":"${spanId}"`);
    const route = pattern === undefined ? this.#unrouted.of(url) : this.#routes.of(pattern);
    const asked = this.#asked.of(
      this.#methods.of(incoming.method),
      route,
      this.#paths.of(url),
      this.#versions.of(incoming.httpVersion),
      this.#hosts.of(host),
    );
    const asking = this.#asking.of(this.#clients.of(addressOf(incoming)), this.#agents.of(agent), this.#referers.of(referer));
    const bytes = bodyBytesOf(response, connection.lastAnswerBytes);
    const rest = upstreamId === undefined ? "" : this.#cleaner.clean(textField("upstream_id", headerText(upstreamId)));
    return `${ids}${asked},"status":${status},"bytes":${bytes},"duration_ms":${milliseconds(endedAt - request.startedAt)}${asking}${
      tls === undefined ? "" : textField("tls", tls)
    }${rest}`;
  }

  /** More secrets are known: nothing that was composed before counts any more. */
  #begin(): void {
    this.#cleanedFor = this.#cleaner.revision;
    const cleaned = (name: Parameters<typeof textField>[0], read: (text: string) => string | undefined): Parts =>
      new Parts((text) => this.#cleaner.clean(textField(name, read(text))));
    this.#methods = cleaned("method", (text) => text);
    this.#routes = cleaned("route", printable);
    const pathIn = (url: string): string => printable(pathOf(url));
    this.#unrouted = cleaned("route", pathIn);
    this.#paths = cleaned("path", pathIn);
    this.#versions = cleaned("http_version", (text) => text);
    this.#hosts = cleaned("host", headerText);
    this.#clients = cleaned("client", (text) => text);
    this.#agents = cleaned("user_agent", headerText);
    this.#referers = cleaned("referer", pageOf);
  }
}

const thousandths: readonly string[] = Array.from({ length: 1000 }, (_, n) => String(n / 1000).slice(1));

/** As JSON has it, in thousandths: `0.125`. */
export function milliseconds(ms: number): string {
  const micros = Math.round(ms * 1000);
  const whole = Math.floor(micros / 1000);
  return micros >= 0 && micros < 1e15 ? `${whole}${thousandths[micros - whole * 1000]}` : String(micros / 1000);
}
