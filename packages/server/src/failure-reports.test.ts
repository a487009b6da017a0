import { describe, expect, it } from "vitest";
import { FailureReports, failureReports, type FailureReport } from "./failure-reports.ts";

function taking(): { readonly reports: FailureReports; readonly taken: FailureReport[]; readonly end: () => void } {
  const reports = new FailureReports();
  const taken: FailureReport[] = [];
  const end = reports.takeWith((report) => void taken.push(report));
  return { reports, taken, end };
}

describe("reports of failures", () => {
  it("go nowhere until somebody takes them", () => {
    const reports = new FailureReports();
    const error = new Error("early");
    reports.tell({ error, level: "error" });
    const taken: unknown[] = [];
    reports.takeWith((report) => taken.push(report.error));
    expect(reports.isWanted).toBe(true);
    reports.tell({ error, level: "error" });
    expect(taken).toEqual([error]);
  });

  it("tell of an error once, whoever tells", () => {
    const { reports, taken } = taking();
    const error = new Error("seen by the hook, the log and the process");
    for (const level of ["error", "error", "fatal"] as const) reports.tell({ error, level });
    reports.tell({ error: new Error("another"), level: "error" });
    expect(taken.map((report) => report.error.message)).toEqual([error.message, "another"]);
  });

  it("end with the function that takes them, and no later one is ended with it", () => {
    const { reports, end } = taking();
    const later: unknown[] = [];
    reports.takeWith((report) => later.push(report));
    end();
    reports.tell({ error: new Error("x"), level: "error" });
    expect(later).toHaveLength(1);
  });

  it("do not throw what the taker throws", () => {
    const reports = new FailureReports();
    reports.takeWith(() => {
      throw new Error("the tracker is broken");
    });
    expect(() => reports.tell({ error: new Error("x"), level: "error" })).not.toThrow();
  });

  it("are one in a process", () => {
    expect(failureReports()).toBe(failureReports());
  });
});
