import { readFileSync } from "node:fs";
import Fastify, { LogController } from "fastify";
import pino from "pino";

/** The same app for both sides: by hand with `start`, under tsserve with `makeApp`. */
function build(options) {
  const app = Fastify(options);
  app.get("/", async () => ({ hello: "world" }));
  return app;
}

export const makeApp = (_config, context) => build(context.fastifyOptions);

/** Without a logger, also under tsserve. */
export const makeQuietApp = () => build({ logger: false });

/** Asks for the span of each request, as an app that makes its own spans does. */
export async function makeAskingApp() {
  const { trace } = await import("@opentelemetry/api");
  const app = Fastify({ logger: false });
  app.get("/", async () => ({ hello: trace.getActiveSpan() === undefined ? "nobody" : "world" }));
  return app;
}

/** How one starts a Fastify app by hand: without a logger at all, or with one that logs no requests. */
export async function start(port, withLogger) {
  const logController = new LogController({ disableRequestLogging: true });
  const logged = { loggerInstance: pino(pino.destination({ fd: 1, sync: true })), logController };
  await build(withLogger ? logged : { logger: false }).listen({ host: "127.0.0.1", port });
}

/** The same with a certificate, as one starts that by hand. */
export async function startSecure(port) {
  const pem = (name) => readFileSync(new URL(`../../test/fixtures/tls/${name}.pem`, import.meta.url));
  const logController = new LogController({ disableRequestLogging: true });
  const options = { loggerInstance: pino(pino.destination({ fd: 1, sync: true })), logController };
  await build({ ...options, https: { cert: pem("localhost"), key: pem("localhost.key") } }).listen({ host: "127.0.0.1", port });
}
