// The probes of `tsserve k8s` and the health check of `tsserve kit docker`, asked of the server that the same file describes: whatever
// it demands of its clients, who looks after it has to hear how it is.
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { connect } from "node:net";
import { freePort, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { run } from "./support/run.ts";
import { iniOf, serve, type ServeOptions } from "./support/serve.ts";
import { certificate, tlsIni } from "./support/tls.ts";

interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string; readonly scheme?: string };
  readonly exec?: { readonly command: readonly string[] };
  readonly tcpSocket?: { readonly port: string };
}

interface Deployment {
  readonly kind: string;
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly [
          { readonly ports: readonly { readonly name: string; readonly containerPort: number }[] } & Readonly<Record<string, Probe>>,
        ];
      };
    };
  };
}

/** Stands for the pod's address: what listens on 127.0.0.1 alone is not reached by it, as in a pod. */
const podAddress = "127.0.0.2";

function asKubeletDoes(probe: Probe, portOf: (name: string) => number): Promise<boolean> {
  const { httpGet, exec, tcpSocket } = probe;
  if (exec !== undefined) {
    expect(exec.command.slice(0, 2)).toEqual(["node", "node_modules/tsserve/bin/tsserve.js"]);
    return run({}, exec.command.slice(2)).then(({ stdout }) => stdout === "OK!\n");
  }
  return new Promise((resolve) => {
    if (httpGet === undefined) {
      const socket = connect(portOf(tcpSocket?.port ?? ""), podAddress, () => (socket.destroy(), resolve(true)));
      socket.on("error", () => resolve(false));
      return;
    }
    const request = httpGet.scheme === "HTTPS" ? requestHttps : requestHttp;
    const options = { host: podAddress, port: portOf(httpGet.port), path: httpGet.path, rejectUnauthorized: false, agent: false };
    const asked = request(options, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    asked.on("error", () => resolve(false));
    asked.end();
  });
}

const demanding = { ...tlsIni, "tls.client_certificates": "require", "tls.client_ca": certificate("ca") };
const thrift = { factory: "tsserve/thrift" };
const rows: readonly (readonly [what: string, server: Readonly<Record<string, string>>, app?: string])[] = [
  ["plain HTTP", {}],
  ["TLS", tlsIni],
  ["TLS with clients' certificates", demanding],
  ["the PROXY protocol", { proxy_protocol: "v2", real_ip_from: "10.0.0.0/8" }],
  ["no health checks", { health: "false" }],
  ["Thrift", thrift, "thrift-loaded.js"],
];
const exporters: readonly (readonly [what: string, settings: (port: number) => Readonly<Record<string, string>>])[] = [
  ["an exporter on all interfaces", (port) => ({ "metrics.endpoint": `0.0.0.0:${port}` })],
  ["one on the loopback address", (port) => ({ "metrics.endpoint": `127.0.0.1:${port}` })],
  ["no metrics", () => ({ "metrics.enabled": "false" })],
];

describe.skipIf(process.platform !== "linux")("who looks after a server hears how it is", () => {
  test.each(
    rows.flatMap(([what, server, app]) => exporters.map(([exporter, settings]) => [what, exporter, server, settings, app] as const)),
  )("%s, %s", async (_what, _exporter, settings, exporter, app) => {
    const [port, metricsPort] = [await freePort(), await freePort()];
    const server = { ...settings, ...exporter(metricsPort) };
    const options: ServeOptions = { server, bind: [`0.0.0.0:${port}`], ...(app !== undefined && { app }) };
    const files = { "app.ini": iniOf({ ...options, server: { ...server, port: String(port) } }), "package.json": '{"name":"shop"}' };

    const manifests = await run(files, ["k8s", "app.ini"]);
    expect(manifests).toMatchObject({ code: 0, stderr: "" });
    const objects = parseAllDocuments(manifests.stdout).map((document) => document.toJS() as Deployment | null);
    const container = objects.find((object) => object?.kind === "Deployment")?.spec.template.spec.containers[0];
    const portOf = (name: string): number => container?.ports.find((each) => each.name === name)?.containerPort ?? 0;

    await using served = serve(options);
    await served.listening();
    const probes = ["startupProbe", "readinessProbe", "livenessProbe"].map((name) => container?.[name] ?? {});
    // Who looks after it asks again and again, too.
    for (const probe of probes) await until(JSON.stringify(probe), () => asKubeletDoes(probe, portOf));

    const { stdout } = await run(files, ["kit", "docker", "app.ini"]);
    const check = /HEALTHCHECK .*\\\n +CMD (\[.*\])/.exec(stdout)?.[1];
    const isMute = Object.keys(settings).some((key) => /^(?:tls|proxy_protocol|health)/.test(key)) && server["metrics.enabled"] === "false";
    expect(check === undefined).toBe(isMute);
    if (check === undefined) return;
    // As the image has it: the file beside the check, and the address in the environment.
    const asked = await run(files, (JSON.parse(check) as string[]).slice(2), { env: { TSSERVE_BIND: "0.0.0.0:*" } });
    expect(asked).toMatchObject({ stdout: "OK!\n", stderr: "", code: 0 });
  });
});
