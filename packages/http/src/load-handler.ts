import type { RequestListener } from "node:http";
import { factoryThrew, notAFunction } from "@tsserve/config";
import type { ServerContext } from "@tsserve/server";
import { guardListener } from "./guard-listener.ts";
import type { ErrorRenderer } from "./own-answer.ts";

/** What a `handler` module exports: wraps or replaces the app's request listener. */
export type HandlerFactory = (next: RequestListener, context: ServerContext) => RequestListener | Promise<RequestListener>;

/** The `handler` module's listener: what it throws costs its request. @throws {TsserveError} when the module gives none */
export async function loadHandler(written: string, next: RequestListener, context: ServerContext): Promise<RequestListener> {
  const factory = (await context.loadFunction(written, "makeHandler")) as unknown as HandlerFactory;
  let handler: unknown;
  try {
    handler = await factory(next, context);
  } catch (error) {
    throw factoryThrew(context.placeOf("handler"), written, error);
  }
  if (typeof handler !== "function")
    throw notAFunction(context.placeOf("handler"), `what ${written} gave`, kindOf(handler), "a function (request, response)");
  return guardListener(handler as RequestListener, `the handler ${written}`, context.log);
}

/** What an `errors` module renders answers with, where one is named. */
export async function loadRenderer(
  written: string | undefined,
  context: Pick<ServerContext, "loadFunction">,
): Promise<ErrorRenderer | undefined> {
  if (written === undefined) return undefined;
  return (await context.loadFunction(written, "renderError")) as unknown as ErrorRenderer;
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
