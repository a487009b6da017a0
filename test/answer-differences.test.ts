import { describe, expect, test } from "vitest";
import { answerDifferences, type Answer, type Tolerance } from "../scripts/answer-differences.ts";

const strict: Tolerance = { headers: new Set(), masks: [] };
const answer: Answer = {
  status: 200,
  statusMessage: "OK",
  rawHeaders: ["Content-Type", "text/plain", "Set-Cookie", "a=1; Path=/", "Set-Cookie", "b=2", "Date", "today"],
  body: "hello",
  isWhole: true,
};

describe("what differs of two answers", () => {
  const cases: readonly (readonly [string, Partial<Answer>, readonly string[]])[] = [
    ["nothing", {}, []],
    ["the case of a name", { rawHeaders: answer.rawHeaders.map((text) => text.replace("Content-Type", "content-type")) }, []],
    ["the value of a cookie", { rawHeaders: answer.rawHeaders.map((text) => text.replace("a=1", "a=other")) }, []],
    [
      "the path of a cookie",
      { rawHeaders: answer.rawHeaders.map((text) => text.replace("Path=/", "Path=/x")) },
      [String.raw`set-cookie: "a=…; Path=/\nb=…", and "a=…; Path=/x\nb=…"`],
    ],
    ["the order of headers", { rawHeaders: [...answer.rawHeaders.slice(6), ...answer.rawHeaders.slice(0, 6)] }, []],
    ["a header that is not there", { rawHeaders: answer.rawHeaders.slice(2) }, ['content-type: "text/plain", and none']],
    ["a header that came in addition", { rawHeaders: ["X-Own", "1", ...answer.rawHeaders] }, ['x-own: none, and "1"']],
    ["the status", { status: 404, statusMessage: "Not Found" }, ['status: "200 OK", and "404 Not Found"']],
    ["the reason phrase", { statusMessage: "Fine" }, ['status: "200 OK", and "200 Fine"']],
    ["the body", { body: "hullo" }, ['body: "hello", and "hullo"']],
    ["a body that is cut", { isWhole: false }, ['whole: "true", and "false"']],
    ["no answer", { error: "ECONNRESET" }, ["ended with 200, and with ECONNRESET"]],
  ];
  test.each(cases)("%s", (_, other, lines) => expect(answerDifferences(answer, { ...answer, ...other }, strict)).toEqual(lines));

  test("two connections that end alike are the same", () => {
    const reset = { ...answer, error: "ECONNRESET" };
    expect(answerDifferences(reset, { ...reset, status: 500 }, strict)).toEqual([]);
  });

  test("what is tolerated is not told: a header, and what a pattern matches in values and bodies", () => {
    const other = { ...answer, rawHeaders: ["Date", "tomorrow", "Location", "http://b:2/x"], body: "id 18 of http://b:2" };
    const one = { ...answer, rawHeaders: ["Date", "today", "Location", "http://a:1/x"], body: "id 17 of http://a:1" };
    expect(answerDifferences(one, other, { headers: new Set(["date"]), masks: [/[ab]:\d/g, /id \d+/g] })).toEqual([]);
    expect(answerDifferences(one, other, { headers: new Set(["date"]), masks: [/[ab]:\d/g] })).toHaveLength(1);
  });

  test("a long body is shown by its beginning", () => {
    const [line = ""] = answerDifferences({ ...answer, body: "a".repeat(9000) }, { ...answer, body: "b".repeat(9000) }, strict);
    expect(line.length).toBeLessThan(500);
    expect(line).toMatch(/a{160}… \(9000\)", and "b{160}/);
  });
});
