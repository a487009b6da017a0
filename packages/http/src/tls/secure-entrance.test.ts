import { createPrivateKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectPlain, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { afterEach, describe, expect, it } from "vitest";
import { ConfigurationError, parseConfig } from "@tsserve/config";
import { CertificateFileError, readAuthorities } from "./certificate-files.ts";
import { readCertificates } from "./certificates.ts";
import type { HandshakeFailure } from "./handshake-failure.ts";
import { SecureEntrance } from "./secure-entrance.ts";
import { tlsSettings, tlsSpec, type TlsSettings } from "./tls-settings.ts";
import { certificateFiles, watchCertificates } from "./watch-certificates.ts";

const fixtures = fileURLToPath(new URL("../../../../test/fixtures/tls/", import.meta.url));
const pem = (name: string): Buffer => readFileSync(join(fixtures, `${name}.pem`));
const ca = pem("ca");

function settingsOf(raw: Readonly<Record<string, string>>, folder = fixtures): TlsSettings {
  const parsed = tlsSettings(parseConfig({ certificate: "localhost.pem", key: "localhost.key.pem", ...raw }, tlsSpec), folder);
  if (parsed === undefined) throw new Error("no TLS");
  return parsed;
}

interface Entered {
  readonly port: number;
  readonly entrance: SecureEntrance;
  readonly failures: HandshakeFailure[];
}
const opened: Server[] = [];
const clients: Socket[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.destroy();
  for (const server of opened.splice(0)) server.close();
});

/** Echoes one line in capitals to whoever made the handshake. */
async function enter(settings: TlsSettings, ticketKeys?: Buffer): Promise<Entered> {
  const failures: HandshakeFailure[] = [];
  const entrance = new SecureEntrance({
    settings,
    certificates: readCertificates(settings),
    ticketKeys,
    handshakeTimeoutMs: 60_000,
    protocols: ["http/1.1"],
    onSecure: (_raw, socket) => socket.on("error", () => undefined).on("data", (data) => socket.write(String(data).toUpperCase())),
    onFailure: (failure) => failures.push(failure),
  });
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined);
    entrance.accept(socket);
  }).listen(0, "127.0.0.1");
  opened.push(server);
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, entrance, failures };
}

/** The first message of a handshake. */
async function helloOf(): Promise<Buffer> {
  const server = createServer().listen(0, "127.0.0.1");
  opened.push(server);
  await once(server, "listening");
  const client = connect({ host: "127.0.0.1", port: (server.address() as AddressInfo).port, servername: "localhost" });
  client.on("error", () => undefined);
  const [socket] = (await once(server, "connection")) as [Socket];
  clients.push(client, socket);
  return ((await once(socket, "data")) as [Buffer])[0];
}

async function handshake(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ host: "127.0.0.1", port, ca, servername: "localhost", ...options });
  clients.push(socket);
  await once(socket, "secureConnect");
  return socket;
}

async function answerOf(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [data] = (await once(socket, "data")) as [Buffer];
  return String(data);
}

/** The error of a handshake, or of what comes after it: a refused client certificate is told late in TLS 1.3. */
async function refusalOf(port: number, options: ConnectionOptions): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port, ca, servername: "localhost", ...options });
  clients.push(socket);
  socket.on("secureConnect", () => socket.write("hello"));
  const outcome = await Promise.race([
    once(socket, "error"),
    once(socket, "data").then(() => [{ code: "served" }]),
    once(socket, "close").then(() => [{ code: "closed" }]),
  ]);
  return String((outcome[0] as { code?: string }).code);
}

describe("a secure entrance", () => {
  it("serves who makes a handshake", async () => {
    const { port } = await enter(settingsOf({}));
    expect(await answerOf(await handshake(port), "hello")).toBe("HELLO");
  });

  it("gives each host its own certificate, and the default one to the rest", async () => {
    const { port } = await enter(
      settingsOf({ "sni.api.example.org": "api.pem, api.key.pem", "sni.*.wild.example": "renewed.pem, renewed.key.pem" }),
    );
    const subject = async (servername: string): Promise<string> =>
      (await handshake(port, { servername, checkServerIdentity: () => undefined })).getPeerCertificate().serialNumber;
    const serial = (name: string): string => new X509Certificate(pem(name)).serialNumber;
    expect(await subject("api.example.org")).toBe(serial("api"));
    expect(await subject("API.example.org")).toBe(serial("api"));
    expect(await subject("a.wild.example")).toBe(serial("renewed"));
    expect(await subject("b.a.wild.example")).toBe(serial("localhost"));
    expect(await subject("localhost")).toBe(serial("localhost"));
  });

  it("tells who speaks plain HTTP", async () => {
    const { port, failures } = await enter(settingsOf({}));
    const socket = connectPlain(port, "127.0.0.1");
    clients.push(socket);
    socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let text = "";
    for await (const part of socket) text += String(part);
    expect(text).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n[^]*This port speaks HTTPS/);
    expect(failures).toEqual(["plain_http"]);
  });

  it.each([
    ["a byte", (hello: Buffer) => hello.subarray(0, 1)],
    ["half a hello", (hello: Buffer) => hello.subarray(0, hello.length / 2)],
    ["a hello", (hello: Buffer) => hello],
  ] as const)("does not wait for who ends its side after %s, long before its time is up", async (_name, part) => {
    const { port, failures } = await enter(settingsOf({}));
    const socket = connectPlain({ port, host: "127.0.0.1", allowHalfOpen: true });
    clients.push(socket);
    socket.on("error", () => undefined);
    socket.resume().end(part(await helloOf()));
    await once(socket, "close");
    await expect.poll(() => failures).toEqual(["reset"]);
  });

  it("leaves a client that ends its side after the handshake what it asked for", async () => {
    const { port } = await enter(settingsOf({}));
    const socket = await handshake(port, { allowHalfOpen: true } as ConnectionOptions);
    socket.end("hello");
    expect(String(((await once(socket, "data")) as [Buffer])[0])).toBe("HELLO");
  });

  it.each([
    ["no certificate", {}, "no_certificate"],
    ["a stranger's certificate", { cert: pem("stranger"), key: pem("stranger.key") }, "bad_certificate"],
  ] as const)("with client_certificates = require refuses a client with %s", async (_name, options, failure) => {
    const { port, failures } = await enter(settingsOf({ client_ca: "ca.pem", client_certificates: "require" }));
    expect(await refusalOf(port, options)).not.toBe("served");
    expect(failures).toEqual([failure]);
  });

  it("serves clients with a certificate of the authority, and others where they are only asked", async () => {
    const required = await enter(settingsOf({ client_ca: "ca.pem", client_certificates: "require" }));
    expect(await refusalOf(required.port, { cert: pem("client"), key: pem("client.key") })).toBe("served");
    const requested = await enter(settingsOf({ client_ca: "ca.pem", client_certificates: "request" }));
    expect(await refusalOf(requested.port, {})).toBe("served");
  });

  it("refuses old versions", async () => {
    const { port, failures } = await enter(settingsOf({ min_version: "1.3" }));
    expect(await refusalOf(port, { maxVersion: "TLSv1.2" })).not.toBe("served");
    expect(failures).toEqual(["version"]);
  });

  it("exchanges its certificates: open connections go on, sessions are resumed, new handshakes get the new one", async () => {
    const settings = settingsOf({});
    const { port, entrance } = await enter(settings);
    const before = connect({ host: "127.0.0.1", port, ca, servername: "localhost", maxVersion: "TLSv1.2" });
    clients.push(before);
    await once(before, "secureConnect");
    const session = before.getSession();
    entrance.exchange(readCertificates(settingsOf({ certificate: "renewed.pem", key: "renewed.key.pem" })));
    expect(await answerOf(before, "still here")).toBe("STILL HERE");
    const after = await handshake(port);
    expect(after.getPeerCertificate().serialNumber).not.toBe(before.getPeerCertificate().serialNumber);
    const resumed = await handshake(port, { maxVersion: "TLSv1.2", ...(session === undefined ? {} : { session }) });
    expect(resumed.isSessionReused()).toBe(true);
  });

  it("resumes the sessions of another that shares its ticket keys", async () => {
    const keys = Buffer.alloc(48, 7);
    const [one, other] = [await enter(settingsOf({}), keys), await enter(settingsOf({}), keys)];
    const first = await handshake(one.port, { maxVersion: "TLSv1.2" });
    const session = first.getSession();
    const resumed = await handshake(other.port, { maxVersion: "TLSv1.2", ...(session === undefined ? {} : { session }) });
    expect(resumed.isSessionReused()).toBe(true);
  });
});

describe("files that can't be used", () => {
  it.each([
    ["a missing certificate", { certificate: "absent.pem" }, /absent\.pem: there is no such file/],
    ["a key in place of a certificate", { certificate: "localhost.key.pem" }, /localhost\.key\.pem: expected a certificate in PEM form/],
    ["a certificate in place of a key", { key: "localhost.pem" }, /localhost\.pem: expected a private key in PEM form/],
    ["another certificate's key", { key: "api.key.pem" }, /api\.key\.pem: is not the key of the certificate .*localhost\.pem/],
    ["a folder", { certificate: "." }, /it is a folder/],
    ["authorities that are none", { client_ca: "localhost.key.pem" }, /expected certificates in PEM form/],
    ["unknown ciphers", { ciphers: "NONSENSE" }, /can't be used/],
    ["a bad pair of a host", { "sni.api.example.org": "api.pem, localhost.key.pem" }, /is not the key of the certificate/],
  ] as const)("%s", (_name, raw, message) => {
    let thrown: unknown;
    try {
      readCertificates(settingsOf(raw as Record<string, string>));
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(CertificateFileError);
    expect((thrown as Error).message).toMatch(message);
    expect((thrown as Error).message).not.toContain("BEGIN");
  });

  it.each([
    [
      "the second is broken",
      (one: string, other: string) => [one, other.replace(/^.{20}$/m, "x").replace(/^[A-Za-z0-9+/]{64}$/m, "AAAA")],
      2,
    ],
    ["the second is cut", (one: string, other: string) => [one, other.slice(0, other.length / 2)], 2],
    [
      "the third is broken, behind good ones",
      (one: string, other: string) => [one, other, other.replace(/^[A-Za-z0-9+/]{64}$/m, "AAAA")],
      3,
    ],
  ] as const)("authorities of which %s: OpenSSL would trust those before it, without a word", (_name, bundle, number) => {
    const folder = mkdtempSync(join(tmpdir(), "tsserve-authorities-"));
    const path = join(folder, "authorities.pem");
    writeFileSync(path, bundle(pem("ca").toString(), pem("stranger").toString()).join("# a comment between them\n"));
    expect(() => readAuthorities(path)).toThrow(`${path}: certificate number ${number} of the file can't be read`);
    writeFileSync(path, `# names\n${pem("ca").toString()}# more\n${pem("stranger").toString()}`);
    expect(readAuthorities(path).length).toBeGreaterThan(0);
    rmSync(folder, { recursive: true });
  });

  it("as strangers' tools leave them: empty, half written, encrypted, in the wrong order", () => {
    const folder = mkdtempSync(join(tmpdir(), "tsserve-certificates-"));
    const file = (name: string, content: string | Buffer): string => {
      writeFileSync(join(folder, name), content);
      return join(folder, name);
    };
    const whole = pem("localhost").toString();
    const encrypted = createPrivateKey(pem("localhost.key"))
      .export({ type: "pkcs8", format: "pem", cipher: "aes-128-cbc", passphrase: "secret" })
      .toString();
    const older = createPrivateKey(pem("localhost.key"))
      .export({ type: whole.length > 1000 ? "pkcs1" : "sec1", format: "pem", cipher: "aes-128-cbc", passphrase: "secret" })
      .toString();
    const der = new X509Certificate(pem("localhost")).raw;
    const derAuthority = new X509Certificate(pem("ca")).raw;
    const derKey = createPrivateKey(pem("localhost.key")).export({ type: "pkcs8", format: "der" });
    const cases: readonly (readonly [Record<string, string>, RegExp])[] = [
      [{ certificate: file("empty.pem", "") }, /empty\.pem: expected a certificate in PEM form/],
      [{ certificate: file("blank.pem", "\n \n") }, /blank\.pem: expected a certificate in PEM form/],
      [{ certificate: file("half.pem", whole.slice(0, whole.length / 2)) }, /half\.pem: expected a certificate in PEM form/],
      [{ certificate: file("bytes.pem", Buffer.from([0x30, 0x82, 1, 2])) }, /bytes\.pem: expected a certificate in PEM form/],
      [{ certificate: file("localhost.der", der) }, /localhost\.der: expected a certificate in PEM form/],
      [{ key: file("localhost.key.der", derKey) }, /localhost\.key\.der: expected a private key in PEM form/],
      [{ client_ca: file("ca.der", derAuthority), client_certificates: "require" }, /ca\.der: expected certificates in PEM form/],
      [{ key: file("empty.key.pem", "") }, /empty\.key\.pem: expected a private key in PEM form, without a passphrase/],
      [{ key: file("half.key.pem", pem("localhost.key").subarray(0, 60)) }, /half\.key\.pem: expected a private key in PEM form/],
      [{ key: file("encrypted.key.pem", encrypted) }, /encrypted\.key\.pem: is encrypted, and nobody is there to give its passphrase/],
      [{ key: file("old.key.pem", older) }, /old\.key\.pem: is encrypted/],
      [
        { certificate: file("order.pem", `${pem("ca").toString()}${whole}`) },
        /order\.pem: has its certificates in the wrong order: that of the key .* is number 2/,
      ],
      [{ client_ca: file("empty-ca.pem", ""), client_certificates: "require" }, /empty-ca\.pem: expected certificates in PEM form/],
    ];
    const wrong = cases.filter(([raw, message]) => {
      try {
        readCertificates(settingsOf(raw));
      } catch (error) {
        return !(error instanceof CertificateFileError) || !message.test(error.message);
      }
      return true;
    });
    rmSync(folder, { recursive: true });
    expect(wrong).toEqual([]);
  });

  it.each([
    [{ certificate: "a.pem" }, "tls.key"],
    [{ key: "a.pem" }, "tls.certificate"],
    [{ client_ca: "a.pem" }, "tls.certificate"],
    [{ client_certificates: "require" }, "tls.certificate"],
    [{ certificate: "a.pem", key: "b.pem", client_certificates: "request" }, "tls.client_ca"],
    [{ certificate: "a.pem", key: "b.pem", "sni.x.org": "c.pem" }, "tls.sni.x.org"],
  ] as const)("%o lacks %s", (raw, key) => {
    expect(() => tlsSettings(parseConfig(raw as Record<string, string>, tlsSpec), "/")).toThrow(ConfigurationError);
    expect(() => tlsSettings(parseConfig(raw as Record<string, string>, tlsSpec), "/")).toThrow(key);
  });
});

describe("the watch", () => {
  const change: Readonly<Record<string, (folder: string) => void>> = {
    "a file that is written": (folder) => writeFileSync(join(folder, "localhost.pem"), pem("renewed")),
    "a file that is renamed into place": (folder) => {
      writeFileSync(join(folder, "next"), pem("renewed"));
      renameSync(join(folder, "next"), join(folder, "localhost.pem"));
    },
  };
  it.each(Object.entries(change))("notices %s", async (_name, apply) => {
    const folder = mkdtempSync(join(tmpdir(), "tsserve-tls-"));
    cpSync(fixtures, folder, { recursive: true });
    await new Promise<void>((resolve) => {
      const end = watchCertificates(certificateFiles(settingsOf({}, folder)), () => {
        end();
        resolve();
      });
      apply(folder);
    });
    rmSync(folder, { recursive: true });
  });
});
