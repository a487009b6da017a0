import type { DeploymentPlan } from "../deployment-plan.ts";
import { hostLayout } from "./host-layout.ts";
import type { KitFiles } from "./kit.ts";
import { nginxWord } from "./quote-word.ts";

const defaultKeepAliveSeconds = 75;
/** nginx gives an idle connection up by so much sooner than the server: else it meets connections that are just being closed. */
const soonerSeconds = 5;

/** `NAME.nginx.conf`: a `server` block and its upstream, for the `http` context. */
export function nginxFile(plan: DeploymentPlan): KitFiles {
  const { name, iniPath, maxBodyBytes, keepAliveSeconds = defaultKeepAliveSeconds } = plan;
  const { bind, current, proxyPlace } = hostLayout(plan);
  const upstream = bind.includes("/") ? nginxWord(`unix:${bind}`) : bind;
  const scheme = plan.speaksTls === true ? "https" : "http";
  const idle = Math.max(1, Math.floor(keepAliveSeconds) - soonerSeconds);
  const text = `# ${name}: derived from ${iniPath} by "tsserve kit nginx". To install: /etc/nginx/conf.d/, inside the http block.
# The server has to believe what nginx says of the client: real_ip_from = ${proxyPlace}

upstream ${name} {
    server ${upstream};
    # Connections that are kept for later requests; given up before the server does (keepalive_timeout = ${keepAliveSeconds} s).
    keepalive 64;
    keepalive_timeout ${idle}s;
}

# WebSockets ask to upgrade; all other requests go over kept connections.
map $http_upgrade $${variableOf(name)}_connection {
    default upgrade;
    ""      "";
}

server {
    listen 80;
    server_name ${name}.example.org;

    # As client_max_size says${maxBodyBytes === undefined ? "" : `: ${maxBodyBytes} bytes`}.
    client_max_body_size ${maxBodyBytes ?? 1_048_576};

    # Static files never reach the server.
    location /static/ {
        alias ${current}/static/;
        expires 1h;
        add_header Cache-Control "public";
        access_log off;
    }

    # For the balancer in front of nginx.
    location = /health {
        proxy_pass ${scheme}://${name};
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $host;
        access_log off;
    }

    location / {
        proxy_pass ${scheme}://${name};
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Request-Id $request_id;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $${variableOf(name)}_connection;
        # Answers are passed on as they come: streams and server-sent events.
        proxy_buffering off;
        # An idle WebSocket is kept for so long.
        proxy_read_timeout 1h;
        # A connection that could not be made was no request: the next try is safe.
        proxy_next_upstream error timeout;
        proxy_connect_timeout 2s;
    }
}
`;
  return new Map([[`${name}.nginx.conf`, text]]);
}

/** nginx's variables have no dashes. */
function variableOf(name: string): string {
  return name.replaceAll("-", "_");
}
