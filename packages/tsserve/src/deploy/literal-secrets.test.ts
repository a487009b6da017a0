import { parseIni } from "@tsserve/config";
import { expect, test } from "vitest";
import { literalSecrets, refersToSecret } from "./literal-secrets.ts";

const found = (text: string): string[] => literalSecrets(parseIni(text, "app.ini")).map(({ section, key }) => `${section} ${key}`);

test.each([
  ["a secret by its name", "db.password = hunter2", true],
  ["one that a Secret provides", "db.password = $DB_PASSWORD", false],
  ["one with a default", "db.password = ${DB_PASSWORD:-hunter2}", true],
  ["one whose default is another reference", "db.password = ${DB_PASSWORD:-$OTHER}", false],
  ["none", "db.password =", false],
  ["the password of a URL", "database = postgres://app:hunter2@db/app", true],
  ["the password of a URL that a Secret provides", "database = postgres://app:${PW}@db/app", false],
  ["a URL without one", "database = postgres://app@db/app", false],
  ["a key that signs", "signing.key = abc", true],
])("%s", (_what, line, isOne) => {
  expect(found(`[app:main]\n${line}\n`)).toEqual(isOne ? [`app:main ${line.split(" ")[0]}`] : []);
});

test.each([
  ["[server:main]\ntls.key = certs/key.pem\n", []],
  ["[server:api]\namqp.ssl_key = key.pem\n", []],
  ["[server:main]\ntls.keys = abc\n", ["server:main tls.keys"]],
  ["[app:main]\ntls.key = abc\n", ["app:main tls.key"]],
])("the path of a server's key is no secret, whatever it is called: %j", (text, expected) => {
  expect(found(text)).toEqual(expected);
});

test.each([
  ["db.password", "$X", "X", true],
  ["db.host", "$X", "X", false],
  ["db.host", "$API_TOKEN", "API_TOKEN", true],
  ["database", "postgres://app:${X}@$HOST/app", "X", true],
  ["database", "postgres://app:${X}@$HOST/app", "HOST", false],
])("what %s = %s refers to by %s is secret: %s", (key, value, variable, isSecret) => {
  expect(refersToSecret(key, value, variable)).toBe(isSecret);
});
