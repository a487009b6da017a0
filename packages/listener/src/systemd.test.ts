import { expect, test } from "vitest";
import { systemdDescriptors } from "./systemd.ts";

test.each([
  [{ LISTEN_FDS: "2", LISTEN_PID: "42" }, [3, 4]],
  [{ LISTEN_FDS: "1", LISTEN_PID: "42" }, [3]],
  // Meant for another process: what a manager's child inherits.
  [{ LISTEN_FDS: "2", LISTEN_PID: "41" }, []],
  [{ LISTEN_FDS: "2" }, []],
  [{ LISTEN_PID: "42" }, []],
  [{ LISTEN_FDS: "0", LISTEN_PID: "42" }, []],
  [{ LISTEN_FDS: "-1", LISTEN_PID: "42" }, []],
  [{ LISTEN_FDS: "1.5", LISTEN_PID: "42" }, []],
  [{ LISTEN_FDS: "many", LISTEN_PID: "42" }, []],
  [{}, []],
])("the sockets that %o passes to process 42 are %j", (env, descriptors) => {
  expect(systemdDescriptors(env, 42)).toEqual(descriptors);
});

test("are so many at most, whatever the variable says", () => {
  expect(systemdDescriptors({ LISTEN_FDS: "4000000000", LISTEN_PID: "42" }, 42)).toHaveLength(1024);
});
