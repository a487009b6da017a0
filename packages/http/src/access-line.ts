import type { AccessRecord } from "./access-log.ts";

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

/** A line as nginx and Apache write it: `client - user [time] "request" status bytes`, and with `combined` the referer and the agent. */
export function webServerLine(record: AccessRecord, isCombined: boolean, now: Date): string {
  const request =
    record.method === undefined ? "-" : `${record.method} ${escaped(record.path ?? "-")} HTTP/${record.http_version ?? "1.1"}`;
  const basic = `${record.client ?? "-"} - - [${timeOf(now)}] "${request}" ${record.status ?? "-"} ${record.bytes ?? "-"}`;
  return isCombined ? `${basic} "${escaped(record.referer ?? "-")}" "${escaped(record.user_agent ?? "-")}"\n` : `${basic}\n`;
}

/** As nginx does: nothing that a client sends can end the quotes, or the line. */
export function escaped(text: string): string {
  return text.replace(/["\\]|[^\x20-\x7e]/g, (character) => {
    const code = character.charCodeAt(0);
    if (code > 0xff) return [...Buffer.from(character)].map(hex).join("");
    return hex(code);
  });
}

function hex(code: number): string {
  return `\\x${code.toString(16).toUpperCase().padStart(2, "0")}`;
}

/** `10/Oct/2000:13:55:36 +0000`: in UTC, whatever the machine's zone is. */
function timeOf(now: Date): string {
  const two = (number: number): string => String(number).padStart(2, "0");
  const day = `${two(now.getUTCDate())}/${months[now.getUTCMonth()]}/${now.getUTCFullYear()}`;
  return `${day}:${two(now.getUTCHours())}:${two(now.getUTCMinutes())}:${two(now.getUTCSeconds())} +0000`;
}
