import { closeSync, openSync } from "node:fs";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { expect, test } from "vitest";
import { inheritedListener } from "./inherited.ts";
import { ListenError } from "./listen-error.ts";

test("a descriptor that is open nowhere, and one that is a file, are told with the variable that names them", () => {
  expect(() => inheritedListener(9999, "EINHORN_FD_0")).toThrow(ListenError);
  expect(() => inheritedListener(9999, "EINHORN_FD_0")).toThrow(/^EINHORN_FD_0 names descriptor 9999, which is not open; the master/);
  const fd = openSync(import.meta.filename, "r");
  try {
    expect(() => inheritedListener(fd, "LISTEN_FDS, socket 0,")).toThrow(/^LISTEN_FDS, socket 0, names descriptor \d+, which is no socket/);
  } finally {
    closeSync(fd);
  }
});

test("a socket is listened on as it is, and named by its number", async () => {
  const bound = createServer().listen(0, "127.0.0.1");
  await once(bound, "listening");
  const { fd } = (bound as Server & { readonly _handle: { readonly fd: number } })._handle;
  const listener = inheritedListener(fd, "EINHORN_FD_0");
  expect(listener).toMatchObject({ endpoint: { path: `fd://${fd}` }, inherited: true });
  expect(await listener.listenOptions()).toMatchObject({ fd });
  bound.close();
  await once(bound, "close");
});
