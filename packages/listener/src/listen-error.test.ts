import { exitCodeOf, isTsserveError } from "@tsserve/config";
import { describe, expect, test } from "vitest";
import { listenError, ListenError } from "./listen-error.ts";

const ofSystem = (code: string): Error => Object.assign(new Error(`listen ${code}: a message of Node's`), { code });

describe("a refusal of the system", () => {
  test.each([
    ["EADDRINUSE", "already in use"],
    ["EACCES", "permission denied"],
    ["EADDRNOTAVAIL", "does not belong to this machine"],
    ["EAFNOSUPPORT", "no such address family"],
    ["ENOTFOUND", "the host name is not known"],
    ["ENOENT", "the folder does not exist"],
    ["EBADF", "not open"],
    ["ENOTSOCK", "not a socket"],
  ])("%s is a sentence with the place and the code", (code, reason) => {
    const error = listenError(ofSystem(code), "10.0.0.1:80");
    expect(error.message).toMatch(/^cannot listen on 10\.0\.0\.1:80: /);
    expect(error.message).toContain(reason);
    expect(error.message).toMatch(new RegExp(` \\(${code}\\)$`));
    expect(error.systemCode).toBe(code);
    expect(isTsserveError(error, "ERR_TSSERVE_LISTEN")).toBe(true);
    expect(exitCodeOf(error)).toBe(3);
  });

  test("that has no words of its own keeps Node's", () => {
    expect(listenError(ofSystem("EWEIRD"), "x").message).toBe("cannot listen on x: listen EWEIRD: a message of Node's (EWEIRD)");
    expect(listenError(new Error("no code"), "x").message).toBe("cannot listen on x: no code");
  });

  test("is not told twice", () => {
    const first = new ListenError("cannot listen on x: taken", "EADDRINUSE");
    expect(listenError(first, "y")).toBe(first);
  });
});
