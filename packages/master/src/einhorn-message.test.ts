import { expect, test } from "vitest";
import { formatEinhornMessage, parseEinhornMessage } from "./einhorn-message.ts";

test("what Ruby's YAML writes, escaped", () => {
  expect(parseEinhornMessage("---%0Aid: 4f1e-1%0Acommand: signal%0Aargs:%0A- SIGUSR1%0A")).toEqual({
    id: "4f1e-1",
    command: "signal",
    args: ["SIGUSR1"],
  });
  expect(parseEinhornMessage("---%0Acommand: inc%0Aargs: []%0A")).toEqual({ command: "inc", args: [] });
  expect(parseEinhornMessage("---%0Acommand: inc%0Aargs:%0A- 2%0A")).toEqual({ command: "inc", args: [2] });
  expect(parseEinhornMessage("---%0A:command: 'ehlo'%0Auser: \"100%25 o'hara\"%0A")).toEqual({ command: "ehlo", user: "100% o'hara" });
});

test("what it does not write is none", () => {
  for (const line of ["hello", "", "---", "- a", "[1, 2]", "%0A%0A", "a: 1%0A  b: 2", "\u0000", "{{", "%"]) {
    expect(parseEinhornMessage(line), line).toBe(undefined);
  }
});

test("an answer is on one line, and survives unescaping", () => {
  const line = formatEinhornMessage({ message: "100%\nof it", request_id: "1" });
  expect(line).toBe('{"message":"100%25\\nof it","request_id":"1"}');
});

test("whatever is written is read in time that grows with its length alone", () => {
  const lengthOf = (text: string): unknown => parseEinhornMessage(text);
  // Patterns that go back would take minutes for each of them.
  for (const part of [" ", "-", "- ", ":", "a: ", "'", "%20", "%0A", "\t", "\u2028"]) {
    for (const end of ["", "\r", "x", "'"]) lengthOf(`a:${part.repeat(100_000)}${end}`);
  }
  expect(parseEinhornMessage(`command: ${" ".repeat(100_000)}inc`)).toEqual({ command: "inc" });
});
