import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { tlsOptions } from "./tls-options.ts";

const pem = (name: string): string => fileURLToPath(new URL(`../../../../test/fixtures/tls/${name}.pem`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "tsserve-"));
afterAll(() => rmSync(folder, { recursive: true }));

function written(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const none = { ca: undefined, cert: undefined, key: undefined };

test("files are read as they are now", () => {
  expect(tlsOptions(none)).toEqual(none);
  const options = tlsOptions({ ca: pem("ca"), cert: pem("client"), key: undefined });
  expect([options.ca, options.cert]).toEqual([readFileSync(pem("ca")), readFileSync(pem("client"))]);
  const path = written("ca.pem", "first");
  expect(() => tlsOptions({ ...none, ca: path })).toThrow("it holds no certificate");
  writeFileSync(path, readFileSync(pem("ca")));
  expect(tlsOptions({ ...none, ca: path }).ca).toEqual(readFileSync(pem("ca")));
});

const encrypted = `-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGjMF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBCmCEjhIIcXPDVHKWQf
-----END ENCRYPTED PRIVATE KEY-----
`;

test.each<[string, object, RegExp]>([
  ["a file that is not there", { ca: join(folder, "absent.pem") }, /^amqp\.ssl_ca: the file .*absent\.pem can't be used: ENOENT/],
  ["a folder", { ca: folder }, /^amqp\.ssl_ca: .*EISDIR/],
  ["a text for an authority", { ca: written("text.pem", "hello") }, /^amqp\.ssl_ca: .*it holds no certificate/],
  ["an empty authority", { ca: written("empty.pem", "") }, /^amqp\.ssl_ca: .*it holds no certificate/],
  ["a text for a certificate", { cert: written("cert.pem", "hello") }, /^amqp\.ssl_cert: .*it is no PEM file/],
  ["a key for a certificate", { cert: pem("localhost.key") }, /^amqp\.ssl_cert: .*it is no PEM file/],
  ["a text for a key", { cert: pem("localhost"), key: written("key.pem", "hello") }, /^amqp\.ssl_key: .*it is no PEM file/],
  ["a certificate for a key", { cert: pem("localhost"), key: pem("localhost") }, /^amqp\.ssl_key: .*it is no PEM file/],
  ["another certificate's key", { cert: pem("localhost"), key: pem("stranger.key") }, /^amqp\.ssl_key: .*not the key of the certificate/],
  ["a broken key", { cert: pem("localhost"), key: written("broken.pem", encrypted) }, /^amqp\.ssl_key: /],
])("%s is refused for good, with its key of the INI file", (_, files, message) => {
  let thrown: unknown;
  try {
    tlsOptions({ ...none, ...files });
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ reason: "refused", isPermanent: true, message: expect.stringMatching(message) as string });
});
