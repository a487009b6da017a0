#!/usr/bin/env node
import module from "node:module";

// Where Node can (22.8 and later), what it compiles is kept for the next start.
module.enableCompileCache?.();
await import("../dist/bin.js");
