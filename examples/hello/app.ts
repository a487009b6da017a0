import Fastify, { type FastifyInstance } from "fastify";
import { optional, parseConfig, string, type AppConfig, type AppContext } from "tsserve";

export async function makeApp(config: AppConfig, context: AppContext): Promise<FastifyInstance> {
  const { greeting } = parseConfig(config, { greeting: optional(string, "Hello, world") });
  const app = Fastify(context.fastifyOptions);

  app.get("/", async () => ({ greeting }));
  app.get<{ Params: { name: string } }>("/hello/:name", async (request) => {
    request.log.info("somebody is greeted");
    return { greeting: `${greeting}, ${request.params.name}` };
  });
  return app;
}
