#!/usr/bin/env sh
":" //; exec node -- "$0" "$@"
// The line above is for the shell, which hands over to Node with `--`: else Node itself reads our
// `--env-file`, and ends with a message of its own when there is no such file.
import module from "node:module";

// Where Node can (22.8 and later), what it compiles is kept for the next start.
module.enableCompileCache?.();
await import("../dist/bin.js");
