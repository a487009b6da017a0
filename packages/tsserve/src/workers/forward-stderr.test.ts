import { expect, test } from "vitest";
import { forwardStderr } from "./forward-stderr.ts";

test("what workers write is passed on, until the reader has gone or lets too much lie", () => {
  const written: string[] = [];
  let fail: () => void = () => undefined;
  const stream = {
    writableLength: 0,
    write: (bytes: Uint8Array) => written.push(Buffer.from(bytes).toString()) > 0,
    on: (_: "error", listener: () => void) => (fail = listener),
  };
  const forward = forwardStderr(stream);
  forward(Buffer.from("one"));
  stream.writableLength = 2 ** 20;
  forward(Buffer.from("too much lies there"));
  stream.writableLength = 0;
  forward(Buffer.from("two"));
  fail();
  forward(Buffer.from("nobody reads it"));
  expect(written).toEqual(["one", "two"]);
});
