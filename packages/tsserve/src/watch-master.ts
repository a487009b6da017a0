const intervalMs = 500;

/** Calls back once when this process has another parent than its master: the master has gone. */
export function watchMaster(masterPid: number, onGone: () => void): () => void {
  const timer = setInterval(() => {
    if (process.ppid === masterPid) return;
    clearInterval(timer);
    onGone();
  }, intervalMs);
  timer.unref();
  return () => clearInterval(timer);
}
