import { pino } from "pino";
import { expect, test } from "vitest";
import { giveLineSink, lineSinkOf, type LineSink } from "./line-sink.ts";

const sink = (writeClean: (line: string) => void): LineSink => ({
  base: {},
  revision: 0,
  clean: (part) => part,
  mayMask: () => false,
  writeClean,
});

test("a logger has a sink when it was given one, and so have its children, and theirs", () => {
  const written: string[] = [];
  const log = pino({}, { write: () => undefined });
  expect(lineSinkOf(log)).toBeUndefined();
  giveLineSink(
    log,
    sink((line) => written.push(line)),
  );
  lineSinkOf(log)?.writeClean("1");
  lineSinkOf(log.child({ logger: "a" }))?.writeClean("2");
  lineSinkOf(log.child({ logger: "a" }).child({ logger: "b" }))?.writeClean("3");
  expect(written).toEqual(["1", "2", "3"]);
});

test("it is no field of a line, and no other logger's", () => {
  const written: string[] = [];
  const log = pino({}, { write: (line) => written.push(line) });
  giveLineSink(
    log,
    sink(() => undefined),
  );
  log.child({ logger: "a" }).info("said");
  expect(Object.keys(JSON.parse(written[0] ?? "") as object)).toEqual(["level", "time", "pid", "hostname", "logger", "msg"]);
  expect(lineSinkOf(pino({}, { write: () => undefined }))).toBeUndefined();
});
