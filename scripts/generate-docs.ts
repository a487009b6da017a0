// Writes what the specs of the settings know into the pages for people: app.example.ini and
// docs/configuration.md. With --check, writes nothing and fails where a page is out of date.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { documentationOf, keysOf, type Spec } from "@tsserve/config";
import { settings as httpSettings } from "@tsserve/http";
import { settings as queueSettings } from "@tsserve/queue";
import { commonSettings } from "@tsserve/server";
import { settings as thriftSettings } from "@tsserve/thrift";
import { loggingSpec } from "../packages/tsserve/src/logging-settings.ts";
import { environmentName, options, type Option, type OptionName } from "../packages/tsserve/src/options.ts";

interface Section {
  readonly title: string;
  readonly spec: Spec;
}

const sections: readonly Section[] = [
  { title: "`[server:…]`, whatever the factory", spec: commonSettings },
  { title: "`[server:…]` with `factory = tsserve/http`", spec: httpSettings },
  { title: "`[server:…]` with `factory = tsserve/thrift`", spec: thriftSettings },
  { title: "`[server:…]` with `factory = tsserve/queue`", spec: queueSettings },
  { title: "`[logging]`", spec: loggingSpec },
];

/** Placeholders of settings that have no default. */
const examples: Readonly<Record<string, string>> = {
  bind: "localhost:9090",
  host: "localhost",
  port: "9090",
  socket_user: "root",
  socket_group: "root",
  workers: "auto",
  max_requests: "100000",
  max_age: "1 day",
  max_memory: "1G",
  worker_timeout: "30 seconds",
  control_socket: "/run/tsserve.sock",
  "metrics.listener": "1",
  "metrics.statsd": "localhost:8125",
  "monitoring.blocked_hub": "100 milliseconds",
  "monitoring.gc.refcycle": "./heap",
  handler: "./handler.js:makeHandler",
  real_ip_from: "loopback, 10.0.0.0/8",
  trusted_proxy_count: "1",
  trust_proxy: "loopback",
  "amqp.port": "5672",
  "amqp.ssl_ca": "./ca.pem",
  "amqp.ssl_cert": "./client.pem",
  "amqp.ssl_key": "./client-key.pem",
  "amqp.routing_key_prefix": "dev-",
  "amqp.queue_name_prefix": "dev-",
  "amqp.queue_ttl": "7 days",
  "amqp.queue_type": "quorum",
  "amqp.qos.queue_prefetch_count": "20",
  "aws_sns_sqs.region_name": "eu-west-1",
  "aws_sns_sqs.aws_access_key_id": "${AWS_ACCESS_KEY_ID:-}",
  "aws_sns_sqs.aws_secret_access_key": "${AWS_SECRET_ACCESS_KEY:-}",
  "aws_sns_sqs.topic_prefix": "dev-",
  "aws_sns_sqs.queue_name_prefix": "dev-",
  "aws_sns_sqs.sns_kms_master_key_id": "alias/aws/sns",
  "aws_sns_sqs.sqs_kms_master_key_id": "alias/aws/sqs",
  "aws_sns_sqs.sqs_kms_data_key_reuse_period": "5 minutes",
  "aws_sns_sqs.visibility_timeout": "60 seconds",
  "aws_sns_sqs.polls": "2",
  "aws_endpoint_urls.sns": "http://localhost:4566",
  "aws_endpoint_urls.sqs": "http://localhost:4566",
  level: "info",
  format: "json",
  "levels.NAME": "debug",
  redact: "password, user.token, *.secret",
};

interface Setting {
  readonly key: string;
  readonly meaning: string;
  readonly defaultText: string | undefined;
  readonly required: boolean;
}

export function settingsOf(spec: Spec): Setting[] {
  return [...keysOf(spec)].map(({ name, spec: leaf }) => {
    const documentation = documentationOf(leaf);
    if (documentation === undefined) throw new Error(`the setting ${name} has no documentation`);
    return { key: name === "levels" ? "levels.NAME" : name, ...documentation };
  });
}

function configurationPage(): string {
  const introduction = readFileSync(path("docs/configuration.head.md"), "utf8").trimEnd();
  const tables = sections.map(({ title, spec }) => {
    const rows = settingsOf(spec).map(
      ({ key, meaning, defaultText, required }) =>
        `| \`${key}\` | ${required ? "required" : defaultText === undefined ? "not set" : `\`${defaultText}\``} | ${meaning} |`,
    );
    return [`### ${title}`, "", "| key | default | meaning |", "| --- | --- | --- |", ...rows].join("\n");
  });
  const optionRows = (Object.entries(options) as [OptionName, Option][]).map(
    ([name, { value, help }]) => `| \`--${name}${value === undefined ? "" : ` ${value}`}\` | \`${environmentName(name)}\` | ${help} |`,
  );
  const optionTable = ["### Options of the command line", "", "| option | variable | meaning |", "| --- | --- | --- |", ...optionRows].join(
    "\n",
  );
  return [introduction, "## Every setting", ...tables, optionTable, ""].join("\n\n");
}

function exampleIni(): string {
  const wrap = (text: string): string[] => {
    const lines: string[] = [];
    for (const word of text.split(" ")) {
      const last = lines.at(-1);
      if (last === undefined || last.length + word.length > 96) lines.push(word);
      else lines[lines.length - 1] = `${last} ${word}`;
    }
    return lines.map((line) => `; ${line}`);
  };
  const entry = ({ key, meaning, defaultText }: Setting): string[] => {
    const written = key === "factory" ? "factory = tsserve/http" : `;${key} = ${defaultText ?? examples[key] ?? ""}`;
    return [...wrap(meaning), written, ""];
  };
  return [
    "; Every setting there is, with its meaning and its default. Lines that begin with `;key` are not set.",
    "; What the app's own section may hold is the app's own matter.",
    "",
    "[server:main]",
    ...settingsOf(commonSettings).flatMap(entry),
    ...settingsOf(httpSettings).flatMap(entry),
    "[app:main]",
    ...wrap("The app factory: a path from this file's folder, or a package or package subpath, and `:NAME` unless the name is `makeApp`."),
    "factory = ./examples/hello/app.ts:makeApp",
    "",
    "; The rest is handed to the factory as it is written, with $NAME, ${NAME} and ${NAME:-default} expanded.",
    "greeting = Hello, ${USER:-stranger}",
    "",
    "; A second server and app, of another kind: tsserve app.example.ini --server-name thrift --app-name thrift",
    "[server:thrift]",
    "factory = tsserve/thrift",
    "",
    ...settingsOf(thriftSettings).flatMap(entry),
    "[app:thrift]",
    "factory = ./examples/thrift-echo/app.ts:makeApp",
    "",
    "; And one that consumes messages: --server-name queue --app-name queue. What is said of RabbitMQ and AWS here may stand in the",
    "; section of any app that publishes, too.",
    "[server:queue]",
    "factory = tsserve/queue",
    "",
    ...settingsOf(queueSettings).flatMap(entry),
    "[app:queue]",
    "factory = ./examples/queue/app.ts:makeApp",
    "",
    "[logging]",
    ...settingsOf(loggingSpec).flatMap(entry),
  ].join("\n");
}

function path(name: string): string {
  return fileURLToPath(new URL(`../${name}`, import.meta.url));
}

export const pages: Readonly<Record<string, () => string>> = { "docs/configuration.md": configurationPage, "app.example.ini": exampleIni };

let outdated = 0;
for (const [name, make] of Object.entries(pages)) {
  const text = make();
  if (!process.argv.includes("--check")) writeFileSync(path(name), text);
  else if (readFileSync(path(name), "utf8") !== text) {
    outdated += 1;
    console.error(`${name} is out of date: npm run docs`);
  }
}
process.exitCode = outdated === 0 ? 0 : 1;
