import { afterEach, expect, test, vi } from "vitest";
import { residentMemory } from "./resident-memory.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

test("what is resident holds at least the heap that is in use", () => {
  expect(residentMemory()).toBeGreaterThan(process.memoryUsage().heapUsed / 2);
});

test("where the system does not tell, it is 0, and nothing throws", () => {
  vi.spyOn(process.memoryUsage, "rss").mockImplementation(() => {
    throw Object.assign(new Error("ENOENT: no such file or directory, uv_resident_set_memory"), { code: "ENOENT" });
  });
  expect(residentMemory()).toBe(0);
});
