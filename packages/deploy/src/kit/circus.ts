import type { DeploymentPlan } from "../deployment-plan.ts";
import { hostLayout, sectionOptions, stopLimitSeconds } from "./host-layout.ts";
import type { KitFiles } from "./kit.ts";
import { circusWord } from "./quote-word.ts";

/** `NAME.circus.ini`: circus holds the socket and passes its descriptor. */
export function circusFile(plan: DeploymentPlan): KitFiles {
  const { name, iniPath, port, address = "0.0.0.0", unixSocket } = plan;
  const { current, iniFile, command, logFolder, user } = hostLayout(plan);
  const where = unixSocket === undefined ? `host = ${address}\nport = ${port}` : `path = ${unixSocket}`;
  const text = `; ${name}: derived from ${iniPath} by "tsserve kit circus". To install: the include_dir of circus.ini.

[watcher:${name}]
cmd = ${command} ${circusWord(iniFile)} --bind fd://$(circus.sockets.${name})${sectionOptions(plan, circusWord)} --log-format json
working_dir = ${current}
uid = ${user}
gid = ${user}
copy_env = True
use_sockets = True
; The workers are tsserve's own (workers = N in the file), so that one port serves the metrics of all of them.
numprocesses = 1
singleton = True
stop_signal = SIGTERM
; drain_time + stop_timeout + what hooks may take; then circus kills.
graceful_timeout = ${stopLimitSeconds(plan)}
stop_children = False
stdout_stream.class = FileStream
stdout_stream.filename = ${logFolder}/stdout.log
stderr_stream.class = FileStream
stderr_stream.filename = ${logFolder}/stderr.log

[socket:${name}]
${where}
backlog = 511

[env:${name}]
NODE_ENV = production
`;
  return new Map([[`${name}.circus.ini`, text]]);
}
