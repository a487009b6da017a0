import { readFileSync } from "node:fs";
import { makeTemporaryFolder, spawnTsserve } from "@tsserve/testing";
import { expect, test } from "vitest";

const page = readFileSync(new URL("../docs/from-express.md", import.meta.url), "utf8");
const samples = [...page.matchAll(/```(?:js|ini)\n(?:\/\/|;) (\S+)\n([^]*?)```/g)].map(([, name = "", text = ""]) => [name, text] as const);
const ini = samples.find(([name]) => name === "app.ini")?.[1] ?? "";
const programs = samples.filter(([name]) => name.endsWith(".js"));

/** A temporary folder has no packages: they are named by where they are. */
const withPackages = (source: string): string =>
  source.replace(/from "(express|koa|hono|ws)"/g, (_, name: string) => `from ${JSON.stringify(import.meta.resolve(name))}`);

test("the samples are found", () =>
  expect(programs.map(([name]) => name)).toEqual(["express.js", "koa.js", "hono.js", "factory.js", "sockets.js"]));

test.each(programs)("the sample %s of docs/from-express.md serves", async (name, text) => {
  const folder = makeTemporaryFolder({
    "package.json": '{"type":"module"}',
    "app.ini": ini.replace("./express.js", `./${name}`),
    [name]: withPackages(text),
  });
  try {
    await using server = spawnTsserve({ args: ["app.ini", "--bind", "127.0.0.1:0"], cwd: folder.path });
    const base = await server.listening();
    expect(await (await fetch(base)).text()).toBe("hello");
    if (name === "sockets.js") {
      const { WebSocket } = await import("ws");
      const socket = new WebSocket(base.replace("http", "ws"));
      socket.on("open", () => socket.send("echo"));
      expect(await new Promise((resolve) => void socket.on("message", (data: Buffer) => resolve(data.toString())))).toBe("echo");
      socket.close();
    }
    server.kill();
    await server.log(/readiness fails/);
    server.kill(); // Ends the drain.
    expect((await server.exited()).code).toBe(0);
  } finally {
    folder.remove();
  }
});
