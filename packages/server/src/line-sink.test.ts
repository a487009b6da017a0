import { pino } from "pino";
import { expect, test } from "vitest";
import { giveLineSink, lineSinkOf } from "./line-sink.ts";

test("a logger has a sink when it was given one, and so have its children, and theirs", () => {
  const written: string[] = [];
  const log = pino({}, { write: () => undefined });
  expect(lineSinkOf(log)).toBeUndefined();
  giveLineSink(log, { base: {}, write: (line) => written.push(line) });
  lineSinkOf(log)?.write("1");
  lineSinkOf(log.child({ logger: "a" }))?.write("2");
  lineSinkOf(log.child({ logger: "a" }).child({ logger: "b" }))?.write("3");
  expect(written).toEqual(["1", "2", "3"]);
});

test("it is no field of a line, and no other logger's", () => {
  const written: string[] = [];
  const log = pino({}, { write: (line) => written.push(line) });
  giveLineSink(log, { base: {}, write: () => undefined });
  log.child({ logger: "a" }).info("said");
  expect(Object.keys(JSON.parse(written[0] ?? "") as object)).toEqual(["level", "time", "pid", "hostname", "logger", "msg"]);
  expect(lineSinkOf(pino({}, { write: () => undefined }))).toBeUndefined();
});
