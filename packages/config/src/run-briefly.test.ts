import { expect, test } from "vitest";
import { runBriefly } from "./run-briefly.ts";

const node = (program: string): ReturnType<typeof runBriefly> => runBriefly(process.execPath, ["-e", program]);

test.each([
  [
    "all that it wrote, and how it ended",
    "console.log('out'); console.error('err'); process.exit(3)",
    { status: 3, stdout: "out\n", stderr: "err\n" },
  ],
  ["nothing where it wrote nothing", "", { status: 0, stdout: "", stderr: "" }],
  [
    "what it wrote before a signal ended it",
    "console.log('out'); process.kill(process.pid, 'SIGKILL')",
    { status: null, stdout: "out\n", stderr: "" },
  ],
])("gives %s", (_what, program, ran) => {
  expect(node(program)).toEqual(ran);
});

test("a program that is not there is as one that may not be run", () => {
  expect(runBriefly("no-such-program-anywhere", [])).toBeUndefined();
});

test("where Node forbids other processes, nothing is run, and nothing is thrown", () => {
  const permission = process.allowedNodeEnvironmentFlags.has("--permission") ? "--permission" : "--experimental-permission";
  // The function as it is built: what runs it may start no compiler either.
  const program = `const { runBriefly } = await import(${JSON.stringify(new URL("../dist/run-briefly.js", import.meta.url).href)});
    console.log(String(runBriefly("true", [])));`;
  const ran = runBriefly(process.execPath, [permission, "--allow-fs-read=*", "--input-type=module", "-e", program]);
  expect(ran?.stdout).toBe("undefined\n");
});
