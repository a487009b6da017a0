import { documentationOf, isSecret, keysOf, masked, type Masker, type ResolvedSection, type Spec } from "@tsserve/config";
import { commonSettings } from "@tsserve/server";
import { valuesFor, type Configuration } from "./configuration.ts";
import { loggingSpec, loggingTexts } from "./logging-settings.ts";

/** What a running server does about a setting that differs. */
export type Effect =
  /** The master goes by the new value from now on, and so do the workers that it starts. */
  | "now"
  /** The new workers have it; the master has no use for it. */
  | "new workers"
  /** The running master can't change it: it holds after a restart. */
  | "restart";

/** One setting in which two configurations differ. */
export interface Difference {
  /** `server:main`, `app:main`, `logging`, or `environment` for the variables of the environment file. */
  readonly section: string;
  readonly key: string;
  /** As written, or the default, secrets masked; `undefined` where it is not set. */
  readonly before: string | undefined;
  readonly after: string | undefined;
  readonly effect: Effect;
}

/** What is bound once, when a master starts. */
const fixed: ReadonlySet<string> = new Set(
  "bind host port backlog reuse_port socket_mode socket_user socket_group metrics.listener".split(" "),
);
/** What a master reads for itself. */
const masters: ReadonlySet<string> = new Set(
  "drain_time stop_timeout workers upgrade start_timeout control_socket max_requests max_requests_jitter max_age max_memory worker_timeout metrics.endpoint metrics.enabled".split(
    " ",
  ),
);

/**
 * Every setting in which two configurations differ, in the order of the specs; a default that is written out is no
 * difference. Pure. An option of the command line is none either: it is the same for both.
 */
export function differences(before: Configuration, after: Configuration): Difference[] {
  const compare = (
    section: string,
    [old, now]: Pair,
    effectOf: (key: string) => Effect,
    isSecretValue: (key: string) => boolean,
  ): Difference[] =>
    [...new Set([...now.keys(), ...old.keys()])]
      .filter((key) => old.get(key) !== now.get(key))
      .map((key) => {
        const shown = (value: string | undefined, { masker }: Configuration): string | undefined => show(value, isSecretValue(key), masker);
        return { section, key, before: shown(old.get(key), before), after: shown(now.get(key), after), effect: effectOf(key) };
      });
  const spec = after.serverSpec ?? commonSettings;
  return [
    ...compare(
      after.server.name,
      [settingsOf(before.server, before.serverSpec), settingsOf(after.server, after.serverSpec)],
      effectOfServerKey,
      (key) => isSecret(key, spec),
    ),
    ...compare(after.app.name, [settingsOf(before.app, undefined), settingsOf(after.app, undefined)], effectOfAppKey, (key) =>
      isSecret(key),
    ),
    ...compare(
      "logging",
      [new Map(loggingTexts(before.logging)), new Map(loggingTexts(after.logging))],
      () => "now",
      (key) => isSecret(key, loggingSpec),
    ),
    ...compare(
      "environment",
      [new Map(Object.entries(before.fileEnvironment)), new Map(Object.entries(after.fileEnvironment))],
      () => "new workers",
      (key) => isSecret(key),
    ),
  ];
}

type Pair = readonly [old: ReadonlyMap<string, string>, now: ReadonlyMap<string, string>];

function effectOfServerKey(key: string): Effect {
  return fixed.has(key) ? "restart" : masters.has(key) ? "now" : "new workers";
}

/** Of the app's section a master reads the keys of `metrics`, which may stand there, too. */
function effectOfAppKey(key: string): Effect {
  return key.startsWith("metrics.") ? effectOfServerKey(key) : "new workers";
}

/** The values of a section, and the defaults of what it does not set, in the order of the spec. */
function settingsOf(section: ResolvedSection, spec: Spec | undefined): Map<string, string> {
  const values = new Map(Object.entries(valuesFor(section, spec)).filter(([, value]) => value !== "" || spec === undefined));
  const known = [...keysOf(spec ?? {})].flatMap(({ name, spec: leaf }): [string, string][] => {
    const text = values.get(name) ?? documentationOf(leaf)?.defaultText;
    return text === undefined ? [] : [[name, text]];
  });
  return new Map([...known, ...values]);
}

function show(value: string | undefined, isSecretValue: boolean, masker: Masker): string | undefined {
  if (value === undefined || value === "") return value;
  return isSecretValue ? masked : masker.mask(value);
}
