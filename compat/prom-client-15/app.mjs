import Fastify from "fastify";
import { Counter } from "prom-client";

export function makeApp(_config, context) {
  const app = Fastify(context.fastifyOptions);
  app.log.info("compat: from the app");
  app.get("/users/:id", async (request) => {
    request.log.info("compat: from a request");
    return { id: request.params.id };
  });
  app.get("/fails", async () => {
    throw new Error("by design");
  });
  app.get("/slow", async () => {
    await new Promise((resolve) => setTimeout(resolve, 500));
    return "slow";
  });
  const mine = new Counter({ name: "compat_mine_total", help: "On the registry that prom-client gives." });
  const given = new Counter({ name: "compat_given_total", help: "On the registry that the context gives.", registers: [context.metrics] });
  mine.inc();
  given.inc();
  return app;
}
