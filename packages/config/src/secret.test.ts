import { describe, expect, test } from "vitest";
import { parseIni } from "./ini.ts";
import { isSecretKey, masked } from "./mask.ts";
import { Masker } from "./masker.ts";
import { parseConfig } from "./parse-config.ts";
import { defaultFromEnv, dictOf, fallback, optional, tupleOf } from "./parsers/combined.ts";
import { integer } from "./parsers/number.ts";
import { base64, string } from "./parsers/text.ts";
import { ConfigurationError, type Problem } from "./problem.ts";
import { isSecret, secret } from "./secret.ts";
import { resolveSection, type ResolvedSection } from "./section.ts";
import { optionalSetting, setting } from "./setting.ts";
import type { Spec } from "./spec.ts";

const refusing = (text: string): never => {
  throw new Error(`can't make anything of ${text}, really`);
};

function problemsOf(run: () => unknown): readonly Problem[] {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
  return [];
}

describe("a setting that is called like a secret, and names a file", () => {
  const pem = "-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkq\\n-----END PRIVATE KEY-----";
  test.each([
    ["server:main", "tls.key", "/etc/tls/app.pem", false],
    ["server:api", "tls.key", "certs/key.pem", false],
    ["server:api", "tls.key", "./key", false],
    ["server:main", "amqp.ssl_key", "../client.key", false],
    ["server:main", "tls.key", pem, true],
    ["server:main", "tls.key", "hunter2hunter2", true],
    ["server:main", "tls.key", "MIIEvQIBADANBgkqhkiG9w0/BAQEFAASC+w==", true],
    ["server:main", "tls.key", "https://me:hunter2@keys/app.pem", true],
    ["server:main", "api.key", "/etc/tls/app.pem", true],
    ["server:main", "tls.password", "/etc/tls/app.pem", true],
    ["app:main", "tls.key", "/etc/tls/app.pem", true],
  ])("[%s] %s = %s: hidden: %s", (name, key, value, isHidden) => {
    const masker = new Masker();
    const { values, locate } = resolveSection(parseIni(`[${name}]\n${key} = ${value}`, "x.ini"), name, {}, masker);
    const [outer = "", inner = ""] = key.split(".");
    parseConfig(values, { [outer]: { [inner]: optionalSetting(string, "A file.") } });
    const [problem] = locate([{ key, message: `${values[key]}: there is no such file`, value: values[key] }]);
    const shown = [problem?.message ?? "", problem?.value ?? "", masker.show(name, key, value), masker.mask(`can't read ${value}`)];
    for (const each of shown) expect(each.includes(value)).toBe(!isHidden);
  });

  test("is hidden where a spec says that it is secret", () => {
    const masker = new Masker();
    const { values } = resolveSection(parseIni("[server:main]\ntls.key = /etc/tls/app.pem", "x.ini"), "server:main", {}, masker);
    parseConfig(values, { tls: { key: secret(string) } });
    expect([masker.isSecret("server:main", "tls.key"), masker.mask("/etc/tls/app.pem")]).toEqual([true, masked]);
  });
});

describe("names of keys", () => {
  test.each([
    ["password", true],
    ["db.pwd", true],
    ["DB_PASSWORD", true],
    ["passwords.admin", true],
    ["jwt", true],
    ["jwtSecret", true],
    ["authorization", true],
    ["github_token", true],
    ["api-key", true],
    ["sentry.dsn", true],
    ["tls.key", true],
    ["aws.secret_access_key", true],
    ["session.cookie", true],
    ["token.ttl", false],
    ["password_min_length", false],
    ["secrets.path", false],
    ["request_id_header", false],
    ["keepalive_timeout", false],
    ["monkey", false],
    ["tokenizer", false],
    ["constructor", false],
    ["", false],
  ])("%s: %s", (key, expected) => {
    expect(isSecretKey(key)).toBe(expected);
  });

  test("a documented setting is no secret for a weak name, but for a strong one", () => {
    const spec = { tls: { key: optionalSetting(string, "A path.") }, token: optionalSetting(string, "?") };
    expect([isSecret("tls.key", spec), isSecret("token", spec), isSecret("other.key", spec)]).toEqual([false, true, true]);
  });
});

describe("secret() marks whatever it stands in or round", () => {
  const specs: Readonly<Record<string, Spec>> = {
    "a parser": secret(refusing),
    optional: optional(secret(refusing)),
    "round optional": secret(optional(refusing)),
    "a list": tupleOf(secret(refusing)),
    "round a list": secret(tupleOf(refusing)),
    "a fallback": fallback(secret(integer), refusing),
    "a setting": optionalSetting(secret(refusing), "x"),
    "the environment": defaultFromEnv(secret(refusing), "NOBODY"),
  };
  for (const [name, spec] of Object.entries(specs)) {
    test(name, () => {
      const problems = problemsOf(() => parseConfig({ pepper: "hunter2" }, { pepper: spec }));
      expect(problems).toHaveLength(1);
      expect(JSON.stringify(problems)).not.toContain("hunter2");
      expect(problems[0]?.value).toBe(masked);
      expect(isSecret("pepper", { pepper: spec })).toBe(true);
    });
  }

  test("the keys below a dictionary", () => {
    const spec = { peppers: secret(dictOf(base64)), others: dictOf(secret(base64)) };
    const problems = problemsOf(() => parseConfig({ "peppers.a": "hunter2", "others.b": "hunter3" }, spec));
    expect(problems.map(({ value }) => value)).toEqual([masked, masked]);
    expect(isSecret("peppers.a", spec) && isSecret("others.b", spec)).toBe(true);
  });

  test("a variable of the environment", () => {
    const spec = { pepper: defaultFromEnv(secret(refusing), "PEPPER") };
    expect(JSON.stringify(problemsOf(() => parseConfig({}, spec, { env: { PEPPER: "hunter2" } })))).not.toContain("hunter2");
  });

  test("what it gives is what is read", () => {
    expect(
      parseConfig({ a: "5", "b.c": "x" }, { a: secret(integer), b: secret(dictOf(string)), d: optional(secret(string), "y") }),
    ).toEqual({
      a: 5,
      b: { c: "x" },
      d: "y",
    });
    expect(parseConfig({}, { a: setting(secret(integer), "7", "x") })).toEqual({ a: 7 });
  });
});

function section(text: string, env = {}, masker = new Masker()): ResolvedSection & { masker: Masker } {
  return { ...resolveSection(parseIni(`[app:main]\n${text}`, "x.ini"), "app:main", env, masker), masker };
}

describe("a problem holds no secret", () => {
  test("whose key says so, or whose value shows it, whoever found it", () => {
    const { locate } = section("password = hunter2\nurl = postgres://me:hunter3@db\nnote = fine");
    const found = locate([
      { key: "password", message: "no good: hunter2", value: "hunter2" },
      { key: "url", message: "can't reach postgres://me:hunter3@db", value: "postgres://me:hunter3@db" },
      { key: "note", message: "contains hunter2", value: "fine" },
    ]);
    expect(found.map(({ message, value }) => [message, value])).toEqual([
      [`no good: ${masked}`, masked],
      [`can't reach postgres://me:${masked}@db`, `postgres://me:${masked}@db`],
      ["contains hunter2".replace("hunter2", masked), "fine"],
    ]);
  });

  test("of a reference that can't be expanded", () => {
    const { problems } = section("password = hunter2${oops:x}\nplain = a${oops:x}");
    expect(problems[0]).toMatchObject({ value: masked });
    expect(JSON.stringify(problems[0])).not.toMatch(/hunter2|oops:/);
    expect(problems[1]).toMatchObject({ value: "a${oops:x}" });
  });

  test.each(["password = x\nhunter2", "password hunter2", "Bearer hunter2hunter2"])("of a line that is none: %j", (text) => {
    const problems = problemsOf(() => parseIni(`[a]\n${text}`));
    expect(problems).toHaveLength(1);
    expect(JSON.stringify(problems)).not.toContain("hunter2");
  });

  test("an app's spec tells the masker of keys whose names say nothing", () => {
    const { values, masker } = section("pepper = very-salty");
    parseConfig(values, { pepper: secret(string) });
    expect([masker.isSecret("app:main", "pepper"), masker.mask("it is very-salty!")]).toEqual([true, `it is ${masked}!`]);
    expect(Object.keys({ ...values })).toEqual(["pepper"]);
  });
});

describe("the masker", () => {
  function knowing(...secrets: string[]): Masker {
    const masker = new Masker();
    masker.learn(secrets);
    return masker;
  }

  test("replaces each secret wherever it stands, the longest first, as it is, in JSON and in a URL", () => {
    const masker = knowing("s3cret", "s3cret-and-more", 'quo"ted\nlines', "a b&c/d");
    expect(masker.mask('s3cret-and-more xs3cretx {"a":"quo\\"ted\\nlines"} ?q=a%20b%26c%2Fd')).toBe(
      `${masked} x${masked}x {"a":"${masked}"} ?q=${masked}`,
    );
  });

  test.each(["plain", 'quo"ted', "back\\slash", "a&b<c>", "blank s p%40ss", "plus+=/", "pässwörd-ключ", "it's (!) ~*", "$tr0ng$"])(
    "hides %j in whatever form it is",
    (part) => {
      const known = `${part} and 1 more`;
      const masker = knowing(known);
      const json = (text: string): string => JSON.stringify({ v: text });
      const texts = {
        "as it is": `x ${known} y`,
        "in JSON": json(known),
        "in JSON in JSON": json(json(known)),
        "as a part of a URL": `http://h/${encodeURIComponent(known)}?q=${encodeURIComponent(known)}`,
        "in a whole URL": encodeURI(`http://h/?q=${known}&x`),
        "in a form": new URLSearchParams({ v: known }).toString(),
      };
      for (const [form, text] of Object.entries(texts)) {
        expect(masker.mask(text), form).not.toMatch(/and.{1,3}1.{1,3}more/);
        expect(masker.mask(text), form).toContain(masked);
      }
    },
  );

  test("leaves words, numbers of few digits and parts of other words", () => {
    const masker = knowing("true", "info", "8080", "abc", "pass1", "");
    expect(masker.mask("true info 8080 abc pass12 pass1")).toBe(`true info 8080 abc pass12 ${masked}`);
  });

  test.each([
    ["connect postgres://me:pw@db/app failed", `connect postgres://me:${masked}@db/app failed`],
    ["redis://:pw@host", `redis://:${masked}@host`],
    ["redis://:p@ss:w@host", `redis://:${masked}@host`],
    ["http://host:80/a@b", "http://host:80/a@b"],
    ["Authorization: Bearer abcdefgh12", `Authorization: Bearer ${masked}`],
    ["?user=me&password=pw&x=1", `?user=me&password=${masked}&x=1`],
    ["host=db password=pw", `host=db password=${masked}`],
    ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", masked],
    ["nothing of all this", "nothing of all this"],
  ])("shows %j as %j, whatever it was told", (text, shown) => {
    expect(new Masker().mask(text)).toBe(shown);
  });

  test("says of a word that it may hold a secret wherever masking it changes anything", () => {
    const masker = knowing("s3cret", "abc-1", "with blanks in it", "a+b=c/d", "many\nlines");
    const pieces = [
      "s3cret",
      "s3cre",
      "abc-1",
      "abc-10",
      "-",
      ".",
      "_x",
      "req-1a",
      "eyJhbGciOi",
      ".eyJzdWIi",
      ".c2lnbmF0",
      "0af7651916cd43dd",
      "with",
    ];
    let changed = 0;
    for (let n = 0; n < 13 ** 3; n++) {
      const word = [n % 13, Math.floor(n / 13) % 13, Math.floor(n / 169)].map((each) => pieces[each]).join("");
      if (masker.mask(word) === word) continue;
      changed += 1;
      expect(masker.mayMask(word)).toBe(true);
    }
    expect(changed).toBeGreaterThan(500);
    expect(["req-1a", "0af7651916cd43dd8448eb211c80319c", "dff-zz", "s3cre", "with"].map((word) => masker.mayMask(word))).not.toContain(
      true,
    );
    expect(new Masker().mayMask("s3cret")).toBe(false);
  });

  test("keeps what it knows, and hides what it hides once more", () => {
    const masker = knowing("first-secret");
    masker.learn(["second-secret"]);
    const once = masker.mask("first-secret second-secret");
    expect([once, masker.mask(once)]).toEqual([`${masked} ${masked}`, `${masked} ${masked}`]);
  });

  test("learns variables by their names and values, and the working folder is none", () => {
    const masker = new Masker();
    masker.learnVariables([
      ["PWD", "/home/somebody"],
      ["DB_PASSWORD", "hunter2hunter2"],
      ["DB_URL", "postgres://me:in-the-url@db"],
    ]);
    expect(masker.mask("/home/somebody hunter2hunter2 in-the-url")).toBe(`/home/somebody ${masked} ${masked}`);
  });

  test("the contents of a secret variable are secret wherever a file puts them", () => {
    const { masker } = section("greeting = hello $API_TOKEN", { API_TOKEN: "tok-123456" });
    expect(masker.mask("tok-123456")).toBe(masked);
  });
});
