import type { Reporter, TestCase } from "vitest/node";

/** Tells at the end of a run which tests passed at the second try only: each of them is to be looked at. */
export class TellRetried implements Reporter {
  readonly #retried: string[] = [];

  onTestCaseResult(test: TestCase): void {
    if (test.diagnostic()?.flaky === true) this.#retried.push(`${test.module.relativeModuleId} > ${test.fullName}`);
  }

  onTestRunEnd(): void {
    for (const name of this.#retried) console.log(`passed at the second try only: ${name}`);
  }
}
