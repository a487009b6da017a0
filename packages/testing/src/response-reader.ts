interface Head {
  readonly status: number;
  readonly length: number | undefined;
  readonly chunked: boolean;
  readonly closes: boolean;
  readonly bodyStart: number;
}

/** Reads one HTTP/1.1 response from the chunks of a connection: as much of the protocol as tests need. */
export class ResponseReader {
  #chunks: Buffer[] = [];
  #bytes = 0;
  #head: Head | undefined;
  #complete = false;
  #body = "";

  get hasBegun(): boolean {
    return this.#bytes > 0;
  }

  get isComplete(): boolean {
    return this.#complete;
  }

  get status(): number {
    return this.#head?.status ?? 0;
  }

  /** Whether the server closes the connection after this response. */
  get closes(): boolean {
    return this.#head?.closes ?? true;
  }

  get body(): string {
    return this.#body;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    this.#head ??= this.#readHead();
    const head = this.#head;
    if (head === undefined) return;
    if (head.length !== undefined) {
      if (this.#bytes < head.bodyStart + head.length) return;
      this.#body = this.#joined().toString("utf8", head.bodyStart, head.bodyStart + head.length);
      this.#complete = true;
    } else if (head.chunked) this.#readChunks(head.bodyStart);
  }

  /** The connection has closed: was that the end of the response? */
  endsAtClose(): boolean {
    const head = this.#head;
    if (head === undefined || head.length !== undefined || head.chunked || !head.closes) return false;
    this.#body = this.#joined().toString("utf8", head.bodyStart);
    return true;
  }

  #readHead(): Head | undefined {
    const bytes = this.#joined();
    const end = bytes.indexOf("\r\n\r\n");
    if (end === -1) return undefined;
    const text = bytes.toString("latin1", 0, end);
    const length = /^content-length: *(\d+)/im.exec(text)?.[1];
    return {
      status: Number(text.slice(9, 12)),
      length: length === undefined ? undefined : Number(length),
      chunked: /^transfer-encoding: *chunked/im.test(text),
      closes: /^connection: *close/im.test(text),
      bodyStart: end + 4,
    };
  }

  #readChunks(from: number): void {
    const bytes = this.#joined();
    // Only the end of the last chunk says that the whole has come.
    if (!bytes.subarray(-5).equals(Buffer.from("0\r\n\r\n"))) return;
    const parts: Buffer[] = [];
    let at = from;
    for (;;) {
      const lineEnd = bytes.indexOf("\r\n", at);
      if (lineEnd === -1) return;
      const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
      if (size === 0) break;
      if (lineEnd + 2 + size > bytes.length) return;
      parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
      at = lineEnd + 2 + size + 2;
    }
    this.#body = Buffer.concat(parts).toString("utf8");
    this.#complete = true;
  }

  #joined(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }
}
