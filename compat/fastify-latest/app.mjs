import Fastify from "fastify";

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
  return app;
}
