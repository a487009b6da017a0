import { createApp, createRouter, defineEventHandler, getRouterParam, toNodeListener } from "h3";

export function makeApp(_config, context) {
  const app = createApp({ onError: (error) => context.log.error({ err: error.cause ?? error }, "h3 failed") });
  const router = createRouter();
  router.get(
    "/users/:id",
    defineEventHandler((event) => ({ id: getRouterParam(event, "id") })),
  );
  router.get(
    "/fails",
    defineEventHandler(() => {
      throw new Error("by design");
    }),
  );
  router.get(
    "/slow",
    defineEventHandler(async () => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      return "slow";
    }),
  );
  app.use(router);
  return toNodeListener(app);
}
