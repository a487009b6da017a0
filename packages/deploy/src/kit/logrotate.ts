import type { DeploymentPlan } from "../deployment-plan.ts";
import { hostLayout } from "./host-layout.ts";
import type { KitFiles } from "./kit.ts";

/** `NAME.logrotate`. The server notices by itself that its file was renamed: no signal, no postrotate script. */
export function logrotateFile(plan: DeploymentPlan): KitFiles {
  const { name, iniPath, accessLogPath } = plan;
  const { logFolder, current, user } = hostLayout(plan);
  const path = accessLogPath === undefined ? undefined : accessLogPath.startsWith("/") ? accessLogPath : `${current}/${accessLogPath}`;
  const text = `# ${name}: derived from ${iniPath} by "tsserve kit logrotate". To install: /etc/logrotate.d/${name}
# ${path === undefined ? "access_log = PATH in the file writes an access log; these are the files of a process manager." : "The server opens the new file by itself within a second of the rename."}

${path ?? `${logFolder}/*.log`} {
    daily
    rotate 14
    missingok
    notifempty
    # A file that has just been renamed is still written to for a second: it is compressed a day later.
    compress
    delaycompress
${path === undefined ? "    # A process manager keeps its file open: what is in it is copied, and the file emptied.\n    copytruncate\n" : `    create 0640 ${user} ${user}\n`}}
`;
  return new Map([[`${name}.logrotate`, text]]);
}
