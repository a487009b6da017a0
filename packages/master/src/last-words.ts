const mostBytes = 8192;
const mostLines = 20;

/**
 * What Node prints below the cause when V8 or Node itself ends the process, such as ` 7: 0x1112e9c v8::internal::Heap::… [/usr/bin/node]`:
 * twenty lines of the runtime's own functions, which would leave no room for the cause, such as "JavaScript heap out of memory".
 */
const nativeFrame = /^ *\d+: 0x[\da-f]+ |^----- Native stack trace -----$/;

/** The end of what a process said on stderr: why it died, as a rule. */
export class LastWords {
  #bytes = Buffer.alloc(0);

  add(bytes: Uint8Array): void {
    const all = Buffer.concat([this.#bytes, bytes]);
    this.#bytes = Buffer.from(all.subarray(Math.max(0, all.length - mostBytes)));
  }

  text(): string {
    const lines = this.#bytes.toString("utf8").split("\n");
    const said = lines.filter((line, index) => !nativeFrame.test(line) && (line.trim() !== "" || lines[index - 1]?.trim() !== ""));
    return said.join("\n").trim().split("\n").slice(-mostLines).join("\n");
  }
}
