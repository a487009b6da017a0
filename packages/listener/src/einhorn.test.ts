import { describe, expect, test } from "vitest";
import { readEinhornWorker } from "./einhorn.ts";
import { systemdDescriptors } from "./systemd.ts";

const identity = { pid: 20, ppid: 10 };
const worker = { EINHORN_MASTER_PID: "10", EINHORN_SOCK_PATH: "/run/einhorn.sock" };

describe("readEinhornWorker", () => {
  test.each([[{}], [{ EINHORN_MASTER_PID: "11" }], [{ EINHORN_MASTER_PID: "" }], [{ EINHORN_MASTER_PID: " 10" }]])(
    "%j is no worker",
    (env) => {
      expect(readEinhornWorker({ EINHORN_FD_COUNT: "nonsense", ...env }, identity)).toBe(undefined);
    },
  );

  test("reads the sockets in the master's order, the path of the ACK and the index", () => {
    const env = { ...worker, EINHORN_FD_COUNT: "2", EINHORN_FD_0: "7", EINHORN_FD_1: "5", EINHORN_CHILD_INDEX: "3" };
    expect(readEinhornWorker(env, identity)).toEqual({
      masterPid: 10,
      descriptors: [7, 5],
      acknowledgeTo: { path: "/run/einhorn.sock" },
      childIndex: 3,
    });
    expect(readEinhornWorker(worker, identity)).toMatchObject({ descriptors: [], childIndex: undefined });
  });

  test("names every variable that makes no sense", () => {
    const env = { ...worker, EINHORN_FD_COUNT: "2", EINHORN_FD_0: "-1", EINHORN_CHILD_INDEX: "first" };
    expect(() => readEinhornWorker(env, identity)).toThrow(/EINHORN_FD_0[^]*EINHORN_FD_1[^]*EINHORN_CHILD_INDEX/);
  });

  test("acknowledges to a descriptor only where no path is given, and only if that is a socket", () => {
    expect(readEinhornWorker({ EINHORN_MASTER_PID: "10", EINHORN_SOCK_FD: "9999" }, identity)?.acknowledgeTo).toBe(undefined);
    expect(readEinhornWorker({ ...worker, EINHORN_SOCK_FD: "9999" }, identity)?.acknowledgeTo).toEqual({ path: "/run/einhorn.sock" });
  });
});

test.each([
  [{ LISTEN_PID: "20", LISTEN_FDS: "2" }, [3, 4]],
  [{ LISTEN_PID: "21", LISTEN_FDS: "2" }, []],
  [{ LISTEN_FDS: "2" }, []],
  [{ LISTEN_PID: "20", LISTEN_FDS: "-2" }, []],
  [{ LISTEN_PID: "20", LISTEN_FDS: "two" }, []],
  [{ LISTEN_PID: "20" }, []],
])("systemd passes %j: descriptors %j", (env, descriptors) => expect(systemdDescriptors(env, 20)).toEqual(descriptors));
