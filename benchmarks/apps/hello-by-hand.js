import { start, startSecure } from "./hello.js";

const [, , port, how] = process.argv;
if (how === "tls") await startSecure(Number(port));
else await start(Number(port), how === "logger");
