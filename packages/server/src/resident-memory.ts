/**
 * The memory of this process that is resident, in bytes; 0 where the system does not tell. On Linux it is read from `/proc`,
 * which is not there in every jail, and `process.memoryUsage` throws then: https://docs.libuv.org/en/v1.x/misc.html#c.uv_resident_set_memory
 */
export function residentMemory(): number {
  try {
    return process.memoryUsage.rss();
  } catch {
    return 0;
  }
}
