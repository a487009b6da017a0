import type { DeploymentPlan } from "../deployment-plan.ts";
import { hostLayout, requiredVariables, sectionOptions, stopLimitSeconds } from "./host-layout.ts";
import type { KitFiles } from "./kit.ts";
import { supervisorWord } from "./quote-word.ts";

/** `NAME.supervisor.conf`, for supervisord's folder of programs. */
export function supervisorFile(plan: DeploymentPlan): KitFiles {
  const { name, iniPath } = plan;
  const { current, iniFile, command, logFolder, user, bind } = hostLayout(plan);
  const required = requiredVariables(plan);
  const variables = ['NODE_ENV="production"', ...required.map((each) => `${each}="%(ENV_${each})s"`)].join(",");
  const text = `; ${name}: derived from ${iniPath} by "tsserve kit supervisor". To install: /etc/supervisor/conf.d/
${plan.hasMaster ? `; A rolling upgrade: supervisorctl signal HUP ${name}` : `; A restart closes the port for a moment; with workers = N in the file, a SIGHUP upgrades without that.`}

[program:${name}]
command=${command} ${supervisorWord(iniFile)} --bind ${supervisorWord(bind)}${sectionOptions(plan, supervisorWord)} --log-format json
directory=${current}
user=${user}
environment=${variables}
autostart=true
; 0 says that it was asked to stop; anything else starts it again.
autorestart=unexpected
exitcodes=0
; Longer than it takes to listen: sooner ended counts as a failed start.
startsecs=3
startretries=10
stopsignal=TERM
; drain_time + stop_timeout + what hooks may take. The default of 10 would kill requests in progress.
stopwaitsecs=${stopLimitSeconds(plan)}
; The main process stops its workers itself.
stopasgroup=false
killasgroup=true
stdout_logfile=${logFolder}/stdout.log
stdout_logfile_maxbytes=0
stderr_logfile=${logFolder}/stderr.log
stderr_logfile_maxbytes=0
`;
  return new Map([[`${name}.supervisor.conf`, text]]);
}
