import { failureReports } from "@tsserve/server";
import { expect, test } from "vitest";
import { followNestFailures } from "./nest-failures.ts";

const path = "/srv/app/node_modules/@nestjs/core/exceptions/base-exception-filter.js";

/** A copy of Nest's filter, as far as it matters here: an error with a status is answered with it. */
function copy() {
  class BaseExceptionFilter {
    answered: unknown[] = [];

    catch(exception: Error & { status?: number }, host: { getArgByIndex(index: number): { statusCode?: number } }): string {
      host.getArgByIndex(1).statusCode = exception.status ?? 500;
      this.answered.push(exception);
      return "answered";
    }
  }
  return { exports: { BaseExceptionFilter } };
}

/** What is told of while something is done. */
function toldOf(work: () => void): Error[] {
  const told: Error[] = [];
  const end = failureReports().takeWith(({ error }) => told.push(error));
  work();
  end();
  return told;
}

const hostOf = (request: unknown, response: unknown) => ({ getArgByIndex: (index: number) => [request, response][index] as never });

test("what is answered with 500 or above is told of once, whatever follows the same copy, and answered as before", () => {
  const module = copy();
  followNestFailures({ [path]: module });
  followNestFailures({ [path]: module });
  const filter = new module.exports.BaseExceptionFilter();
  const [mine, theirs, unavailable] = [
    new Error("mine"),
    Object.assign(new Error("theirs"), { status: 403 }),
    Object.assign(new Error("away"), { status: 503 }),
  ];
  const told = toldOf(() => {
    for (const error of [mine, theirs, unavailable]) expect(filter.catch(error, hostOf({}, {}))).toBe("answered");
  });
  expect(told).toEqual([mine, unavailable]);
  expect(filter.answered).toEqual([mine, theirs, unavailable]);
});

test("a filter that extends it, and passes errors on, tells of them", () => {
  const module = copy();
  followNestFailures({ [path]: module });
  class Own extends module.exports.BaseExceptionFilter {
    override catch(...args: Parameters<InstanceType<typeof module.exports.BaseExceptionFilter>["catch"]>): string {
      return `${super.catch(...args)} by mine`;
    }
  }
  const error = new Error("mine");
  expect(toldOf(() => expect(new Own().catch(error, hostOf({}, {}))).toBe("answered by mine"))).toEqual([error]);
});

test.each([
  ["another module", "/srv/app/node_modules/@nestjs/core/exceptions/exceptions-handler.js", copy()],
  ["a module that is being loaded", path, { exports: {} }],
  ["a module without exports", path, { exports: undefined }],
  ["no module", path, undefined],
  ["something that is no class", path, { exports: { BaseExceptionFilter: {} } }],
])("%s is left as it is", (_what, name, module) => {
  const before = (module?.exports as { BaseExceptionFilter?: { prototype?: { catch?: unknown } } } | undefined)?.BaseExceptionFilter
    ?.prototype?.catch;
  expect(() => followNestFailures({ [name]: module })).not.toThrow();
  expect(
    (module?.exports as { BaseExceptionFilter?: { prototype?: { catch?: unknown } } } | undefined)?.BaseExceptionFilter?.prototype?.catch,
  ).toBe(before);
});

test.each([
  "C:\\srv\\node_modules\\@nestjs\\core\\exceptions\\base-exception-filter.js",
  `/srv/node_modules/.pnpm/@nestjs+core@11.0.0/${path}`,
])("wherever it lies: %s", (name) => {
  const module = copy();
  const before = module.exports.BaseExceptionFilter.prototype.catch;
  followNestFailures({ [name]: module });
  expect(module.exports.BaseExceptionFilter.prototype.catch).not.toBe(before);
});
