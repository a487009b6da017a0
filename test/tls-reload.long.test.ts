import { renameSync, writeFileSync } from "node:fs";
import { connect } from "node:tls";
import { load, lost, makeTemporaryFolder, until } from "@tsserve/testing";
import { expect, test } from "vitest";
import { serve } from "./support/serve.ts";
import { ask, copyCertificates, handshake, pem } from "./support/tls.ts";

// A hundred are counted by hand.
const reloads = Number(process.env["TSSERVE_RELOADS"] ?? 6);

test("certificates are exchanged again and again under load: no handshake fails, all workers serve the new one, sessions are resumed by any", async () => {
  const certificates = makeTemporaryFolder();
  const { path: folder } = certificates;
  copyCertificates(folder);
  await using server = serve({
    app: "plain.js",
    args: ["--workers", "4"],
    server: {
      "tls.certificate": `${folder}/localhost.pem`,
      "tls.key": `${folder}/localhost.key.pem`,
      access_log: "false",
      control_socket: "./ctl.sock",
    },
  });
  const port = Number(new URL((await server.listening()).replace("https", "http")).port);
  await until("four workers", () => server.logs().filter(({ msg }) => msg.endsWith(" is up")).length === 4, { timeoutMs: 30_000 });
  const serialOf = async (): Promise<string> => {
    const socket = await handshake(port);
    const { serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return serialNumber;
  };
  const first = await handshake(port, { maxVersion: "TLSv1.2" });
  const session = first.getSession();
  const expected = await ask(first);
  first.destroy();
  const body = expected.slice(expected.indexOf("\r\n\r\n") + 4);
  const stop = new AbortController();
  const open = (ready: () => void): ReturnType<typeof connect> =>
    connect({ port, host: "127.0.0.1", ca: pem("ca"), servername: "localhost" }, ready);
  const loads = [true, false].map((keepAlive) => load({ port, open, clients: 4, keepAlive, expect: body, signal: stop.signal }));
  const exchanged = (): number => server.logs().filter(({ msg }) => msg.startsWith("new certificates are served")).length;
  const serials: string[] = [await serialOf()];
  for (let n = 1; n <= reloads; n++) {
    const name = n % 2 === 1 ? "renewed" : "localhost";
    // One after the other, as tools write them: in between, the pair does not fit, and the old one stays.
    for (const [file, of] of [
      ["localhost.key.pem", `${name}.key`],
      ["localhost.pem", name],
    ] as const) {
      writeFileSync(`${folder}/next`, pem(of));
      renameSync(`${folder}/next`, `${folder}/${file}`);
    }
    await until(`reload ${n}`, () => exchanged() >= 4 * n, { timeoutMs: 30_000, describe: () => server.stdout().slice(-2000) });
    serials.push(await serialOf());
  }
  for (const [index, serial] of serials.entries()) expect(serial).toBe(serials[index % 2]);
  expect(serials[0]).not.toBe(serials[1]);
  let resumed = 0;
  const tries = 20;
  const resume = async (): Promise<void> => {
    const socket = await handshake(port, { maxVersion: "TLSv1.2", ...(session === undefined ? {} : { session }) });
    if (socket.isSessionReused()) resumed += 1;
    socket.destroy();
  };
  for (let n = 0; n < tries; n++) await resume();
  server.kill("SIGHUP");
  await until(
    "the upgrade",
    () => server.logs().some(({ msg }) => /^upgraded|generation 2 (?:is up|serves)|upgrade to generation 2/.test(msg)),
    { timeoutMs: 60_000, describe: () => server.stdout().slice(-1500) },
  );
  for (let n = 0; n < tries; n++) await resume();
  stop.abort();
  for (const result of await Promise.all(loads)) expect([lost(result), result.failures]).toEqual([0, []]);
  expect(resumed).toBeGreaterThanOrEqual(0.95 * 2 * tries);
  server.kill();
  expect(await server.exited(30_000)).toEqual({ code: 0, signal: null });
  certificates.remove();
});
