import type { WireLimits } from "./limits.ts";
import { ProtocolError } from "./protocol-error.ts";

/** Header names and values are byte strings, here as latin1. */
export type Headers = ReadonlyMap<string, string>;

const noHeaders: Headers = new Map();
/** A block of headers begins with this; with anything else, what follows is not for us. */
export const keyValueInfo = 1;

/**
 * The info blocks of a THeader frame. They are checked at once, but a map is made of them only when somebody asks:
 * most handlers look at no header, or at one.
 */
export class HeaderBlocks {
  /** How many headers there are; one that stands twice counts twice. */
  readonly count: number;
  private readonly text: string;
  private known: Headers | undefined = undefined;
  private position = 0;

  /**
   * @param text the bytes of the blocks, and of the padding after them, as latin1
   * @throws {ProtocolError} when they are broken or pass a limit
   */
  constructor(text: string, limits: WireLimits) {
    this.text = text;
    let count = 0;
    while (this.position < text.length && this.varint() === keyValueInfo) {
      const headers = this.varint();
      count += headers;
      if (count > limits.maxHeaders) throw new ProtocolError(`there are more than ${limits.maxHeaders} headers`);
      for (let index = 0; index < headers * 2; index++) this.skip();
    }
    this.count = count;
  }

  /** Several blocks may follow one another; later headers win. */
  get all(): Headers {
    if (this.count === 0) return noHeaders;
    return (this.known ??= this.read());
  }

  /** The last header of a name, whatever its case, without making the map. @param name in lower case */
  find(name: string): string | undefined {
    if (this.count === 0) return undefined;
    let found: string | undefined;
    this.position = 0;
    while (this.position < this.text.length && this.varint() === keyValueInfo) {
      const headers = this.varint();
      for (let index = 0; index < headers; index++) {
        const length = this.varint();
        const start = this.position;
        this.position += length;
        if (length === name.length && this.text.slice(start, start + length).toLowerCase() === name) found = this.string();
        else this.skip();
      }
    }
    return found;
  }

  private read(): Headers {
    const all = new Map<string, string>();
    this.position = 0;
    while (this.position < this.text.length && this.varint() === keyValueInfo) {
      const headers = this.varint();
      for (let index = 0; index < headers; index++) {
        const name = this.string();
        all.set(name, this.string());
      }
    }
    return all;
  }

  private string(): string {
    const length = this.varint();
    this.position += length;
    return this.text.slice(this.position - length, this.position);
  }

  private skip(): void {
    const length = this.varint();
    if (length > this.text.length - this.position) throw new ProtocolError(`a header of ${length} bytes goes on past the end`);
    this.position += length;
  }

  private varint(): number {
    const { text } = this;
    // Nearly all are one byte; past the end there is no number, which is not below anything.
    const first = text.charCodeAt(this.position);
    if (first < 0x80) {
      this.position += 1;
      return first;
    }
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.position >= text.length) throw new ProtocolError("a varint goes on past the end");
      const byte = text.charCodeAt(this.position++);
      // Not shifted: bit 31 would make it negative.
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (value > 0xffff_ffff) break;
        return value;
      }
    }
    throw new ProtocolError("a varint has more than 32 bits");
  }
}
