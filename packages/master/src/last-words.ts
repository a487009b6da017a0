const mostBytes = 8192;
const mostLines = 20;

/** The end of what a process said on stderr: why it died, as a rule. */
export class LastWords {
  #bytes = Buffer.alloc(0);

  add(bytes: Uint8Array): void {
    const all = Buffer.concat([this.#bytes, bytes]);
    this.#bytes = Buffer.from(all.subarray(Math.max(0, all.length - mostBytes)));
  }

  text(): string {
    return this.#bytes.toString("utf8").trimEnd().split("\n").slice(-mostLines).join("\n");
  }
}
