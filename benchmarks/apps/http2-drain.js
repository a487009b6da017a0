// Answers within milliseconds, by lot, and tells at its end which requests it has handled.
import { writeFileSync } from "node:fs";

export function makeApp(config) {
  const handled = [];
  process.once("exit", () => writeFileSync(config.handled, handled.join("\n")));
  return (request, response) => {
    const id = /[?&]id=(\w+)/.exec(request.url)?.[1];
    if (id !== undefined) handled.push(id);
    setTimeout(() => response.end("answered"), Math.random() * 20);
  };
}
