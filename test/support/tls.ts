import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { until } from "@tsserve/testing";

const fixtures = fileURLToPath(new URL("../fixtures/tls/", import.meta.url));

/** One of the test's certificates or keys: `ca`, `localhost`, `localhost.key`, `renewed`, `api`, `client`, `expired`, `stranger`. */
export function pem(name: string): Buffer {
  return readFileSync(join(fixtures, `${name}.pem`));
}

/** Copies the certificates into a folder, where a test may exchange them. */
export function copyCertificates(folder: string): void {
  cpSync(fixtures, folder, { recursive: true });
}

/** Where the fixtures are. */
export const certificate = (name: string): string => join(fixtures, `${name}.pem`);

/** The settings of a server with the test's certificate. */
export const tlsIni: Readonly<Record<string, string>> = {
  "tls.certificate": certificate("localhost"),
  "tls.key": certificate("localhost.key"),
};

/** A secured connection to a port, when its handshake is over. */
export async function handshake(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  let outcome: "secured" | Error | undefined;
  const socket = connect({ host: "127.0.0.1", port, ca: pem("ca"), servername: "localhost", ...options });
  socket.once("secureConnect", () => (outcome ??= "secured"));
  socket.on("error", (error) => (outcome ??= error));
  const ended = await until("a handshake", () => outcome);
  if (ended !== "secured") throw ended;
  return socket;
}

/** Sends a request over a secured connection, and gives the answer's text when it ends or has come. */
export async function ask(socket: TLSSocket, path = "/"): Promise<string> {
  let text = "";
  socket.on("data", (part) => (text += String(part)));
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  return until("an answer", () => (/\r\n\r\n[^]/.test(text) || socket.readableEnded ? text : undefined), { describe: () => text });
}
