import { spawnSync } from "node:child_process";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { connect as connectPlain, type Socket } from "node:net";
import { join } from "node:path";
import { Duplex } from "node:stream";
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

/** A secured connection whose raw socket can be paused, and whose records can be sent together, in one segment. */
export async function heldHandshake(
  port: number,
): Promise<{ socket: TLSSocket; raw: Socket; together: (parts: readonly string[]) => Promise<void> }> {
  const raw = connectPlain(port, "127.0.0.1");
  let held: Buffer[] | undefined;
  const between = new Duplex({
    read: () => undefined,
    write: (bytes: Buffer, _, done) => {
      if (held === undefined) raw.write(bytes);
      else held.push(bytes);
      done();
    },
  });
  raw.on("data", (bytes) => between.push(bytes));
  raw.on("end", () => between.push(null));
  const socket = await handshake(port, { socket: between });
  const together = async (parts: readonly string[]): Promise<void> => {
    const records: Buffer[] = [];
    held = records;
    for (const part of parts) await new Promise<void>((resolve) => void socket.write(part, () => resolve()));
    held = undefined;
    raw.write(Buffer.concat(records));
  };
  return { socket, raw, together };
}

/** Sends a request over a secured connection, and gives the answer's text when it ends or has come. */
export async function ask(socket: TLSSocket, path = "/"): Promise<string> {
  let text = "";
  socket.on("data", (part) => (text += String(part)));
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  return until("an answer", () => (/\r\n\r\n[^]/.test(text) || socket.readableEnded ? text : undefined), { describe: () => text });
}

const authority = [
  "[ca]\ndefault_ca = own",
  "[own]\ndatabase = ./index.txt\nserial = ./serial\nnew_certs_dir = .\ndefault_md = sha256\npolicy = names\ncopy_extensions = copy",
  "[names]\ncommonName = supplied\n",
].join("\n");

/** Makes `brief.pem` and `brief.key.pem` in a folder: a certificate for `localhost`, signed by itself, that ends at this instant. */
export function makeBriefCertificate(folder: string, end: Date): void {
  writeFileSync(join(folder, "brief.cnf"), authority);
  writeFileSync(join(folder, "index.txt"), "");
  writeFileSync(join(folder, "serial"), "1000");
  const openssl = (args: string): void => {
    const { status, stderr } = spawnSync("openssl", args.split(" "), { cwd: folder, encoding: "utf8" });
    if (status !== 0) throw new Error(`openssl ${args}: ${stderr}`);
  };
  const name = "-subj /CN=localhost -addext subjectAltName=DNS:localhost";
  openssl(`req -new -newkey rsa:2048 -nodes -keyout brief.key.pem ${name} -out brief.csr`);
  const enddate = end.toISOString().replace(/\.\d+|[-:T]/g, "");
  openssl(
    `ca -batch -selfsign -notext -config brief.cnf -keyfile brief.key.pem -in brief.csr -startdate 20200101000000Z -enddate ${enddate} -out brief.pem`,
  );
}
