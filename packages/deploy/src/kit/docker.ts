import type { DeploymentPlan } from "../deployment-plan.ts";
import { healthTarget } from "../health-target.ts";
import { imageCommand } from "../image-command.ts";
import { requiredVariables } from "./host-layout.ts";
import type { KitFiles } from "./kit.ts";
import { imageSteps } from "./package-manager.ts";
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
  const { files, install, build, comment, environment } = imageSteps[plan.packageManager ?? "npm"];
  const configName = /^configs\/(\w[\w.-]*)\.ini$/.exec(iniPath)?.[1];
  const required = requiredVariables(plan);
  const ports = [port, ...(metricsPort === undefined ? [] : [metricsPort])].join(" ");
  return `# ${name}: derived from ${iniPath} by "tsserve kit docker". Build: docker build -t ${name} .
# Run: docker run -p ${port}:${port}${required.map((each) => ` -e ${each}=…`).join("")} ${name}

FROM ${baseImage} AS build
${environment === undefined ? "" : `ENV ${environment}\n`}WORKDIR /app
# Dependencies first: while these files stay, the layer is kept.${comment === undefined ? "" : ` ${comment}`}
COPY ${files.join(" ")} ./
RUN ${install}
COPY . .
RUN ${build}

FROM ${baseImage}
LABEL org.opencontainers.image.title="${name}"
# In a container, localhost can't be reached from outside: all addresses, and the ports of the section that runs.
ENV NODE_ENV=production \\
    TSSERVE_BIND=0.0.0.0:*${sectionVariables(plan)}
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
${healthCheck(plan, configName === undefined ? [iniPath] : [], Math.ceil(startSeconds))}
# The exec form: a shell, npm or npx in between would keep the signals from the server.
ENTRYPOINT ${JSON.stringify(imageCommand)}
${configName === undefined ? `CMD ${JSON.stringify([iniPath])}` : `ENV CONFIG_NAME=${configName}`}
`;
}

/** The check reads the file as the server does, so that it asks the section that runs. */
function healthCheck(plan: DeploymentPlan, file: readonly string[], startSeconds: number): string {
  if (healthTarget(plan) === undefined) return "# No HEALTHCHECK: the server's port tells a check nothing, and metrics are off.";
  const check = [...imageCommand, "healthcheck", ...file, "--timeout", "3 seconds"];
  return `HEALTHCHECK --interval=15s --timeout=5s --start-period=${startSeconds}s --retries=3 \\
    CMD ${JSON.stringify(check)}`;
}

/** Which sections are served where nothing else is said. One name for both can be changed by WORKER_TYPE alone. */
function sectionVariables({ serverName, appName }: DeploymentPlan): string {
  const variables: [string, string][] =
    serverName === appName
      ? [["WORKER_TYPE", serverName]]
      : [
          ["TSSERVE_SERVER_NAME", serverName],
          ["TSSERVE_APP_NAME", appName],
        ];
  return variables
    .filter(([, section]) => section !== "main")
    .map(([name, section]) => ` \\\n    ${name}=${dockerValue(section)}`)
    .join("");
}

const dockerignore = `# What is built or installed anew in the image, and what must not get into it.
.git
node_modules
.pnp.*
npm-debug.log
coverage
Dockerfile
.dockerignore
.env
.env.*
`;
