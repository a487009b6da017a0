import type { LineSink } from "@tsserve/server";
import { recordFields, textField, WholeText } from "./access-line.ts";
import { headerText, isAborted, pageOf, pathOf, printable, recordOf, tlsVersionOf, toldHeaders } from "./access-record.ts";
import { bodyBytesOf } from "./body-bytes.ts";
import { addressOf } from "./client.ts";
import { patternOf, type HttpRequest } from "./http-request.ts";

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

type Told = string | undefined;

/** Parts in a row, of texts that are as a rule the same as in the line before: then the parts are not looked for, and are one text. */
class Row {
  private readonly compose: (one: Told, two: Told, three: Told, four: Told, five: Told) => string;
  private texts: readonly [Told, Told, Told, Told, Told] = [undefined, undefined, undefined, undefined, undefined];
  private readonly composed = new WholeText();

  constructor(compose: (one: Told, two: Told, three: Told, four: Told, five: Told) => string) {
    this.compose = compose;
    this.composed.first(compose(...this.texts));
  }

  of(one: Told, two: Told, three: Told, four?: Told, five?: Told): string {
    const { texts } = this;
    if (one === texts[0] && two === texts[1] && three === texts[2] && four === texts[3] && five === texts[4]) return this.composed.again();
    this.texts = [one, two, three, four, five];
    return this.composed.first(this.compose(one, two, three, four, five));
  }
}

/** What a line says of a request and of its answer, up to how long it took: as a rule the same as in the line before, too. */
class Answered {
  private asked = "";
  private status = 0;
  private bytes = 0;
  private readonly text = new WholeText();

  of(asked: string, status: number, bytes: number): string {
    if (asked === this.asked && status === this.status && bytes === this.bytes) return this.text.again();
    this.asked = asked;
    this.status = status;
    this.bytes = bytes;
    return this.text.first(`${asked},"status":${status},"bytes":${bytes},"duration_ms":`);
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
  #asked = new Row(() => "");
  #asking = this.#asked;
  readonly #answered = new Answered();

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
    const isKnownClean = request.hasOwnId && upstreamId === undefined;
    const isIdClean = isKnownClean || !this.#cleaner.mayMask(id);
    const areClean = isNew === true || !(this.#cleaner.mayMask(traceId) || this.#cleaner.mayMask(spanId));
    const ids =
      isIdClean && areClean
        ? `,"req_id":"${id}","trace_id":"${traceId}","span_id":"${spanId}"`
        : this.#cleaner.clean(`${textField("req_id", id)},"trace_id":"${traceId}","span_id":"${spanId}"`);
    const asked = this.#asked.of(incoming.method, pattern, url, incoming.httpVersion, host);
    const asking = this.#asking.of(addressOf(incoming), agent, referer);
    const answered = this.#answered.of(asked, status, bodyBytesOf(response, connection.lastAnswerBytes));
    const rest = upstreamId === undefined ? "" : this.#cleaner.clean(textField("upstream_id", headerText(upstreamId)));
    return `${ids}${answered}${milliseconds(endedAt - request.startedAt)}${asking}${tls === undefined ? "" : textField("tls", tls)}${rest}`;
  }

  /** More secrets are known: nothing that was composed before counts any more. */
  #begin(): void {
    this.#cleanedFor = this.#cleaner.revision;
    const cleaned = (name: Parameters<typeof textField>[0], read: (text: string) => string | undefined): Parts =>
      new Parts((text) => this.#cleaner.clean(textField(name, read(text))));
    const methods = cleaned("method", (text) => text);
    const routes = cleaned("route", printable);
    const pathIn = (url: string): string => printable(pathOf(url));
    // Where there is no pattern of a route: the path.
    const unrouted = cleaned("route", pathIn);
    const paths = cleaned("path", pathIn);
    const versions = cleaned("http_version", (text) => text);
    const hosts = cleaned("host", headerText);
    this.#asked = new Row((method, pattern, url, version, host) => {
      const route = pattern === undefined ? unrouted.of(url) : routes.of(pattern);
      return `${methods.of(method)}${route}${paths.of(url)}${versions.of(version)}${hosts.of(host)}`;
    });
    const clients = cleaned("client", (text) => text);
    const agents = cleaned("user_agent", headerText);
    const referers = cleaned("referer", pageOf);
    this.#asking = new Row((client, agent, referer) => `${clients.of(client)}${agents.of(agent)}${referers.of(referer)}`);
  }
}

const thousandths: readonly string[] = Array.from({ length: 1000 }, (_, n) => String(n / 1000).slice(1));

/** As JSON has it, in thousandths: `0.125`. */
export function milliseconds(ms: number): string {
  const micros = Math.round(ms * 1000);
  const whole = Math.floor(micros / 1000);
  return micros >= 0 && micros < 1e15 ? `${whole}${thousandths[micros - whole * 1000]}` : String(micros / 1000);
}
