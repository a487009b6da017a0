import { isIP } from "node:net";
import type { DeploymentPlan } from "../deployment-plan.ts";
import { addressWithPort, hostLayout, requiredVariables, sectionOptions, stopLimitSeconds } from "./host-layout.ts";
import type { KitFiles } from "./kit.ts";
import { systemdWord } from "./quote-word.ts";

/** `NAME.service` and `NAME.socket`: systemd holds the listening socket, so that no connection is refused while the service restarts. */
export function systemdFiles(plan: DeploymentPlan): KitFiles {
  return new Map([
    [`${plan.name}.service`, unit(plan)],
    [`${plan.name}.socket`, socket(plan)],
  ]);
}

function unit(plan: DeploymentPlan): string {
  const { name, iniPath } = plan;
  const { current, iniFile, command, user } = hostLayout(plan);
  const required = requiredVariables(plan);
  return `# ${name}.service: derived from ${iniPath} by "tsserve kit systemd".
# To install: /etc/systemd/system/, then systemctl daemon-reload && systemctl enable --now ${name}.socket ${name}.service
# A release: ln -s /srv/${name}/releases/NEW /srv/${name}/next && mv -T /srv/${name}/next ${current} && systemctl ${plan.hasMaster ? "reload" : "restart"} ${name}

[Unit]
Description=${name}, served by tsserve
Wants=network-online.target
After=network-online.target ${name}.socket

[Service]
# Started means that it serves: the server tells systemd when it does (with systemd-notify, hence from a process of its own).
Type=notify
NotifyAccess=all
User=${user}
Group=${user}
WorkingDirectory=${current}
${required.length === 0 ? "# Variables for the INI file, NAME=value a line." : `# Has to set ${required.join(", ")}, a line each.`}
EnvironmentFile=${required.length === 0 ? "-" : ""}/etc/${name}.env
Environment=NODE_ENV=production
ExecStart=${command} ${systemdWord(iniFile)}${sectionOptions(plan, systemdWord)}
${plan.hasMaster ? "# A rolling upgrade: new workers are up before the old ones leave.\nExecReload=/bin/kill -HUP $MAINPID\n" : ""}# Only the main process is asked to stop, and waited for: it stops its workers, and what their requests have started goes on until
# they are answered. Whoever is left then, also when the main process was killed, is asked as well, and finishes its requests. What
# is left at the limit is killed.
ExecStop=-/bin/kill -TERM $MAINPID
ExecStop=-/usr/bin/tail --sleep-interval=0.1 --pid=\${MAINPID} -f /dev/null
KillMode=control-group
KillSignal=SIGTERM
# drain_time + stop_timeout + what hooks may take.
TimeoutStopSec=${stopLimitSeconds(plan)}
TimeoutStartSec=${Math.ceil(plan.startSeconds) + 10}
Restart=on-failure
RestartSec=1
# 2 says that the configuration is wrong: starting again does not mend it.
RestartPreventExitStatus=2
LimitNOFILE=65536

# What the server needs of the host is little. Not MemoryDenyWriteExecute: V8 compiles at run time.
NoNewPrivileges=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectSystem=strict
ProtectHome=yes
ProtectProc=invisible
ProcSubset=pid
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
CapabilityBoundingSet=
AmbientCapabilities=
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
UMask=0027
RuntimeDirectory=${name}
LogsDirectory=${name}

[Install]
WantedBy=multi-user.target
`;
}

function socket(plan: DeploymentPlan): string {
  const { name, iniPath } = plan;
  return `# ${name}.socket: derived from ${iniPath} by "tsserve kit systemd". What it opens is passed to ${name}.service.

[Unit]
Description=Where ${name} listens

[Socket]
${listenStream(plan)}
Backlog=511
NoDelay=yes

[Install]
WantedBy=sockets.target
`;
}

function listenStream({ port, address, unixSocket }: DeploymentPlan): string {
  if (unixSocket !== undefined) return `ListenStream=${unixSocket.replaceAll("%", "%%")}`;
  if (address === undefined) return `ListenStream=${port}`;
  if (isIP(address) === 0)
    return `# The file says ${address}: systemd takes an address only, ADDRESS:${port}, or ${port} for all interfaces.\nListenStream=${port}`;
  return `# As the file says; ${port} alone is all interfaces.\nListenStream=${addressWithPort(address, port)}`;
}
