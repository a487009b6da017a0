import type { IncomingMessage, ServerResponse } from "node:http";
import { openPublisher, PublishError } from "tsserve/queue";
import type { AppConfig, AppContext } from "tsserve";

type Listener = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Takes orders over HTTP, and publishes them: `POST /orders/tea`. */
export async function makeApp(_config: AppConfig, context: AppContext): Promise<Listener> {
  const { publish } = await openPublisher(context);
  return async (request, response) => {
    const [, item = ""] = /^\/orders\/([^/]*)$/.exec(request.url ?? "") ?? [];
    try {
      await publish.amqp("order.new", { id: Date.now(), item: decodeURIComponent(item) });
      response.writeHead(202).end("accepted\n");
    } catch (error) {
      // Whoever asked has to know whether to ask again.
      if (!(error instanceof PublishError)) throw error;
      context.log.error({ err: error }, "an order could not be published");
      response.writeHead(503).end(error.mayHaveBeenSent ? "perhaps accepted\n" : "not accepted\n");
    }
  };
}
