import { userInfo } from "node:os";
import { resolve } from "node:path";
import { exitCodes } from "@tsserve/server";
import type { ProfileKind } from "@tsserve/master";
import { didYouMean } from "@tsserve/config";
import type { Host } from "../host.ts";
import type { OptionValues } from "../options.ts";
import { UsageError } from "../usage-error.ts";
import { ask, NoAnswer, type Answer } from "./ask.ts";
import { askStuck } from "./ask-stuck.ts";
import { checkTarget, placeProfile, type Format, type Target } from "./place-profile.ts";

/** What is asked for on the command line. */
export interface ProfileArguments {
  readonly kind: ProfileKind;
  readonly worker: number | undefined;
  readonly seconds: number;
  readonly format: Format;
  /** Where the file is to be; `undefined`: where the worker writes it. */
  readonly output: string | undefined;
  readonly force: boolean;
  readonly json: boolean;
}

const kinds: readonly ProfileKind[] = ["cpu", "heap", "snapshot"];
const longestSeconds = 3600;
/** A loop that turns answers sooner: else it is stuck, and its watchdog thread is asked instead. */
const turnsWithinMs = 1000;
/** Beyond the time of the profile, until the worker itself gives up and says so. */
const patienceMs = 45_000;
const snapshotWithinMs = 17 * 60_000;

/** @throws {UsageError} */
export function readProfileArguments(positionals: readonly string[], values: OptionValues): ProfileArguments {
  const [kind, ...rest] = positionals;
  const usage = "expected tsserve ctl profile cpu|heap|snapshot";
  if (kind === undefined || rest.length > 0) throw new UsageError(usage);
  const known = kinds.find((each) => each === kind);
  if (known === undefined) throw new UsageError(`${usage}, found "${kind}"${didYouMean(kind, kinds)}`);
  return {
    kind: known,
    worker: values.worker === undefined ? undefined : numberOf("--worker", values.worker, "the number of a worker, from 0 on", /^\d{1,4}$/),
    seconds: secondsOf(values.seconds),
    format: formatOf(known, values.format),
    output: values.output,
    force: values.force !== undefined,
    json: values.json !== undefined,
  };
}

function numberOf(option: string, text: string, expected: string, shape: RegExp): number {
  if (!shape.test(text)) throw new UsageError(`${option}: expected ${expected}, found "${text}"`);
  return Number(text);
}

function secondsOf(text: string | undefined): number {
  if (text === undefined) return 10;
  const expected = `a number of seconds above 0, at most ${longestSeconds}`;
  const seconds = numberOf("--seconds", text, expected, /^\d{1,5}(?:\.\d{1,3})?$/);
  if (seconds === 0 || seconds > longestSeconds) throw new UsageError(`--seconds: expected ${expected}, found "${text}"`);
  return seconds;
}

function formatOf(kind: ProfileKind, text: string | undefined): Format {
  if (text === undefined) return "raw";
  if (kind === "snapshot") throw new UsageError(`--format: a snapshot is a .heapsnapshot, found "${text}"`);
  // V8's own: a .cpuprofile, a .heapprofile.
  if (text === "cpuprofile" || text === "heapprofile") return "raw";
  if (text === "pprof" || text === "html") return text;
  throw new UsageError(`--format: expected cpuprofile, pprof or html, found "${text}"${didYouMean(text, ["cpuprofile", "pprof", "html"])}`);
}

/** What a worker's answer has when the profile was taken. */
interface Taken extends Answer {
  readonly path: string;
  readonly bytes: number;
}

/** Has a profile taken, and puts it where it is to be. */
export async function takeProfile(host: Host, socket: string, asked: ProfileArguments): Promise<number> {
  const { kind, worker, seconds, format, output, force } = asked;
  const target: Target | undefined = output === undefined ? undefined : checkTarget(resolve(host.cwd, output), output);
  const message = { command: "profile", kind, worker, seconds, force, by: askedBy(host) };
  const withinMs = kind === "snapshot" ? snapshotWithinMs : seconds * 1000 + patienceMs;
  const taking = takeFrom(host, socket, message, withinMs);
  // Whoever does not want to wait any more need not; what has begun ends by itself.
  const ended = host.causes.first.then(() => undefined);
  const taken = await Promise.race([taking, ended]);
  if (taken === undefined) {
    host.printError("the profile goes on, and its file will be in profile_dir");
    return 1;
  }
  const placed = await placeProfile({ path: taken.path, kind, format, target, who: taken.message ?? "", seconds, endedAt: Date.now() });
  if (target !== "stdout")
    host.print(asked.json ? JSON.stringify({ ...taken, ok: undefined, message: undefined, path: placed }) : `${taken.message}: ${placed}`);
  return exitCodes.stopped;
}

/** A single process whose event loop is stuck does not answer at its socket; its watchdog thread does at another one. */
async function takeFrom(host: Host, socket: string, message: Readonly<Record<string, unknown>>, withinMs: number): Promise<Taken> {
  try {
    await ask(socket, { command: "status" }, turnsWithinMs);
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    return (await askStuck(host, socket, message, withinMs)) as Taken;
  }
  return (await ask(socket, message, withinMs)) as Taken;
}

/** For the log. Only this user, and root, can connect at all. */
export function askedBy({ pid }: Pick<Host, "pid">): string {
  try {
    return `${userInfo().username} (ctl pid ${pid})`;
  } catch {
    return `uid ${process.getuid?.()} (ctl pid ${pid})`;
  }
}
