// What the kernel says of the main thread of this process, without waking it. Linux alone, and not each of its sandboxes.
/* oxlint-disable typescript/no-require-imports */
const { openSync, readSync } = require("node:fs") as typeof import("node:fs");

type ObserveMainThread = import("./shared.ts", { with: { "resolution-mode": "import" } }).ObserveMainThread;

/** `epoll_wait` and `epoll_pwait`, the one or the other by machine and version of libuv. */
const polls: Readonly<Record<string, readonly string[]>> = { x64: ["232", "281"], arm64: ["22"] };

/**
 * `/proc/PID/task/TID/syscall` holds the system call that a thread waits in, with its arguments, or `running`; `schedstat` begins
 * with the nanoseconds that it has run for: https://docs.kernel.org/filesystems/proc.html
 */
const observeMainThread: ObserveMainThread = (pid, arch) => {
  const text = Buffer.alloc(256);
  const files = new Map<string, number>();
  const read = (name: string): string => {
    try {
      const fd = files.get(name) ?? openSync(`/proc/${pid}/task/${pid}/${name}`, "r");
      files.set(name, fd);
      return text.toString("latin1", 0, readSync(fd, text, 0, text.length, 0));
    } catch {
      return "";
    }
  };
  return {
    place: () => {
      const [call = "", descriptor = ""] = read("syscall").split(" ", 2);
      if (polls[arch]?.includes(call) === true) return Number(descriptor);
      return call.startsWith("running") ? "running" : "elsewhere";
    },
    workedNs: () => BigInt(/^\d+/.exec(read("schedstat"))?.[0] ?? 0),
  };
};

module.exports = { observeMainThread };
