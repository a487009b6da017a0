import type { DeploymentPlan } from "../deployment-plan.ts";
import { imageCommand } from "../image-command.ts";
import { requiredVariables } from "./host-layout.ts";
import type { KitFiles } from "./kit.ts";
import { dockerValue } from "./quote-word.ts";

/** The version of Node that the image has: the newest with long-term support. */
const baseImage = "node:24-bookworm-slim";

/** `Dockerfile` and `.dockerignore`, to stand beside `package.json`. */
export function dockerFiles(plan: DeploymentPlan): KitFiles {
  return new Map([
    ["Dockerfile", dockerfile(plan)],
    [".dockerignore", dockerignore],
  ]);
}

function dockerfile(plan: DeploymentPlan): string {
  const { name, iniPath, port, metricsPort, startSeconds } = plan;
  const configName = /^configs\/(\w[\w.-]*)\.ini$/.exec(iniPath)?.[1];
  const required = requiredVariables(plan);
  const ports = [port, ...(metricsPort === undefined ? [] : [metricsPort])].join(" ");
  return `# ${name}: derived from ${iniPath} by "tsserve kit docker". Build: docker build -t ${name} .
# Run: docker run -p ${port}:${port}${required.map((each) => ` -e ${each}=…`).join("")} ${name}

FROM ${baseImage} AS build
WORKDIR /app
# Dependencies first: while these two files stay, the layer is kept.
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npm run build --if-present && npm prune --omit=dev

FROM ${baseImage}
LABEL org.opencontainers.image.title="${name}"
# In a container, localhost can't be reached from outside.
ENV NODE_ENV=production \\
    TSSERVE_BIND=0.0.0.0:${port}${plan.serverName === "main" ? "" : ` \\\n    TSSERVE_SERVER_NAME=${dockerValue(plan.serverName)}`}${plan.appName === "main" ? "" : ` \\\n    TSSERVE_APP_NAME=${dockerValue(plan.appName)}`}
# What one image runs as is chosen by WORKER_TYPE (the name of a [server:…] and an [app:…] section), WORKER_COUNT (its
# workers), WORKER_CONNECTIONS (requests in progress in each worker) and, where no file is named below, CONFIG_NAME (of
# configs/NAME.ini).
WORKDIR /app
# Owned by root, so that the process cannot change its own code.
COPY --from=build /app /app
# The user "node" of the image, uid 1000.
USER node
EXPOSE ${ports}
STOPSIGNAL SIGTERM
${healthCheck(plan, Math.ceil(startSeconds))}
# The exec form: a shell, npm or npx in between would keep the signals from the server.
ENTRYPOINT ${JSON.stringify(imageCommand)}
${configName === undefined ? `CMD ${JSON.stringify([iniPath])}` : `ENV CONFIG_NAME=${configName}`}
`;
}

function healthCheck(plan: DeploymentPlan, startSeconds: number): string {
  const asked = healthTarget(plan);
  if (asked === undefined) return "# No HEALTHCHECK: the server's port tells a check nothing, and metrics are off.";
  const check = [...imageCommand, "healthcheck", asked.kind, `127.0.0.1:${asked.port}`, "--timeout", "3 seconds"];
  return `HEALTHCHECK --interval=15s --timeout=5s --start-period=${startSeconds}s --retries=3 \\
    CMD ${JSON.stringify(check)}`;
}

/** Who can tell from within the container how the server is. The exporter knows, too, and speaks plain HTTP. */
function healthTarget({ kind, port, serverHealth = "http", metricsPort, localMetricsPort }: DeploymentPlan): HealthTarget | undefined {
  if (kind === "thrift") return { kind: "thrift", port };
  const exporter = metricsPort ?? localMetricsPort;
  if (exporter !== undefined && (kind === "other" || serverHealth !== "http")) return { kind: "http", port: exporter };
  return serverHealth === "http" ? { kind: "http", port } : undefined;
}

interface HealthTarget {
  readonly kind: "http" | "thrift";
  readonly port: number;
}

const dockerignore = `# What is built or installed anew in the image, and what must not get into it.
.git
node_modules
npm-debug.log
coverage
Dockerfile
.dockerignore
.env
.env.*
`;
