import type { Environment } from "@tsserve/config";

const firstDescriptor = 3;
const mostDescriptors = 1024;

/**
 * The descriptors of the listening sockets that systemd passed by socket activation (sd_listen_fds(3)): `LISTEN_FDS`
 * of them from 3 on, if `LISTEN_PID` names this very process. Empty otherwise.
 */
export function systemdDescriptors(env: Environment, pid: number): readonly number[] {
  const count = Number(env["LISTEN_FDS"]);
  if (env["LISTEN_PID"] !== String(pid) || !Number.isInteger(count) || count < 1) return [];
  return Array.from({ length: Math.min(count, mostDescriptors) }, (_, index) => firstDescriptor + index);
}
