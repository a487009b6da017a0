import { H3 } from "h3";

export function makeApp(_config, context) {
  const app = new H3({ onError: (error) => context.log.error({ err: error.cause ?? error }, "h3 failed"), silent: true });
  app.get("/users/:id", (event) => ({ id: event.context.params.id }));
  app.get("/fails", () => {
    throw new Error("by design");
  });
  app.get("/slow", async () => {
    await new Promise((resolve) => setTimeout(resolve, 500));
    return "slow";
  });
  return app;
}
