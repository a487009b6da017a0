import { optional, parseConfig, string, type AppConfig, type AppContext } from "tsserve";
import { currentRequest, loadService, type ServiceApp } from "tsserve/thrift";
import type { Definitions, EchoHandler } from "./echo.types.ts";

const service = loadService<Definitions>("./echo.thrift", "Echo");
const { NotFound } = service.exceptions;
const { LOUD } = service.enums.Tone;

export function makeApp(config: AppConfig, { log }: AppContext): ServiceApp {
  const { greeting } = parseConfig(config, { greeting: optional(string, "Hello") });
  const handler: EchoHandler = {
    echo: (given) => given,
    greet: async (name, tone) => {
      if (name === "") throw new NotFound({ who: name });
      // With the trace of the caller.
      currentRequest()?.log.info("somebody is greeted");
      const text = `${greeting}, ${name}`;
      return { text: tone === LOUD ? text.toUpperCase() : text, tone, said_at: BigInt(Date.now()) };
    },
    forget: (name) => log.info({ name }, "forgotten"),
  };
  return { service, handler };
}
