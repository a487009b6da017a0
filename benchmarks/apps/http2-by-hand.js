// Fastify by hand with a certificate, over HTTP/2 and HTTP/1 on one port: node http2-by-hand.js PORT
import { readFileSync } from "node:fs";
import Fastify from "fastify";

const pem = (name) => readFileSync(new URL(`../../test/fixtures/tls/${name}.pem`, import.meta.url));
const app = Fastify({ logger: false, http2: true, https: { allowHTTP1: true, cert: pem("localhost"), key: pem("localhost.key") } });
app.get("/", async () => ({ hello: "world" }));
await app.listen({ host: "127.0.0.1", port: Number(process.argv[2]) });
