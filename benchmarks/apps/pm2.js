// An app for PM2's cluster mode, with the graceful stop that its documentation suggests.
import { createServer } from "node:http";

const server = createServer((request, response) => response.end('{"hello":"world"}')).listen(Number(process.env.PORT), "127.0.0.1");

process.on("SIGINT", () => server.close(() => process.exit(0)));
