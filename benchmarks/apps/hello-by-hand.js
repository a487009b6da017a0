import { start } from "./hello.js";

await start(Number(process.argv[2]), process.argv[3] === "logger");
