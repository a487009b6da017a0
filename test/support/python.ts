import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { makeTemporaryFolder, type TemporaryFolder } from "@tsserve/testing";

const idl = fileURLToPath(new URL("../fixtures/thrift/bench.thrift", import.meta.url));

/** Debian's Python: the one that its packages are for. */
export const python = "/usr/bin/python3";

/** What lacks for tests with Apache's Python library (Debian: `apt-get install python3-thrift thrift-compiler`). */
export const missingForPython: string | undefined =
  spawnSync(python, ["-c", "import thrift.protocol.THeaderProtocol"]).status !== 0
    ? "python3-thrift is not installed"
    : spawnSync("thrift", ["--version"]).status !== 0
      ? "thrift-compiler is not installed"
      : undefined;
if (missingForPython !== undefined) console.warn(`tests with Apache's Python library are skipped: ${missingForPython}`);

export function pythonScript(name: string): string {
  return fileURLToPath(new URL(`../fixtures/thrift/python/${name}`, import.meta.url));
}

/** The folder of what the compiler generates of bench.thrift. */
export function generate(style: string): TemporaryFolder {
  const folder = makeTemporaryFolder({});
  const { status, stderr } = spawnSync("thrift", ["--gen", style, "-out", folder.path, idl], { encoding: "utf8" });
  if (status !== 0) throw new Error(`thrift --gen ${style}: ${stderr}`);
  return folder;
}
