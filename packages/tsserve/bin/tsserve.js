#!/usr/bin/env sh
":" /*
# This part is for the shell, which hands over to Node.
# A SIGUSR1 that comes before Node masks it is ignored rather than the end of the process.
trap '' USR1
# Node forgets that SIGHUP was ignored, as nohup has it.
if [ -r /proc/self/status ]; then
  while read -r key value; do
    case "$key $value" in SigIgn:*[13579bdf]) TSSERVE_NOHUP=1; export TSSERVE_NOHUP; esac
  done </proc/self/status
fi
# A SIGUSR1 that comes before our first instruction has Node open its inspector: at an address that no machine has
# (RFC 5737) that fails. With the two dashes Node leaves our own options alone, such as --env-file.
case "$NODE_OPTIONS" in
  *--inspect*) exec node -- "$0" "$@" ;;
  *) exec node --inspect-port=192.0.2.1:9229 -- "$0" "$@" ;;
esac
*/
require("../bundle/first-instruction.cjs");
require("../bundle/bin.cjs");
