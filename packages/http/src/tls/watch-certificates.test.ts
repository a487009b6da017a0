import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { makeTemporaryFolder, until } from "@tsserve/testing";
import { expect, test } from "vitest";
import { watchCertificates } from "./watch-certificates.ts";

/** What may become of a file, or of a folder above it, while it is watched; each leaves it where it can't be asked, or is another. */
const changes: Readonly<Record<string, (file: string) => void>> = {
  "is written anew": (file) => writeFileSync(file, "another, and a longer one"),
  "is exchanged by a rename": (file) => {
    writeFileSync(`${file}.new`, "another");
    renameSync(`${file}.new`, file);
  },
  "has gone": (file) => unlinkSync(file),
  "has become a link to itself": (file) => {
    unlinkSync(file);
    symlinkSync(file, file);
  },
  "has become a folder": (file) => {
    unlinkSync(file);
    mkdirSync(file);
  },
  "stands in what is no folder any more": (file) => {
    rmSync(dirname(file), { recursive: true });
    writeFileSync(dirname(file), "");
  },
};

test.each(Object.entries(changes))("a file that %s is told of, and watching goes on", async (_what, change) => {
  const folder = makeTemporaryFolder({ "tls/a.pem": "one", "tls/b.pem": "two" });
  const files = [join(folder.path, "tls", "a.pem"), join(folder.path, "tls", "b.pem")];
  let told = 0;
  const end = watchCertificates(files, () => void (told += 1));
  try {
    change(files[0] as string);
    await until("the change to be told", () => told > 0);
  } finally {
    end();
    folder.remove();
  }
  expect(told).toBeGreaterThan(0);
});

// Who may do everything is refused nothing: for a while it is another user who looks.
test.skipIf(process.getuid?.() !== 0)("a folder that may not be looked into any more is told of, and so is that it may again", async () => {
  const folder = makeTemporaryFolder({ "tls/a.pem": "one" });
  chmodSync(folder.path, 0o755);
  let told = 0;
  const end = watchCertificates([join(folder.path, "tls", "a.pem")], () => void (told += 1));
  process.seteuid?.(65_534);
  try {
    for (const mode of [0o700, 0o755]) {
      const before = told;
      process.seteuid?.(0);
      chmodSync(join(folder.path, "tls"), mode);
      process.seteuid?.(65_534);
      await until("the change of rights to be told", () => told > before);
    }
  } finally {
    process.seteuid?.(0);
    end();
    folder.remove();
  }
  expect(told).toBeGreaterThan(1);
});
