import type { Step } from "@tsserve/server";
import type { Application, BuiltApp } from "../application.ts";
import type { LoadedFunction } from "../load-function.ts";

/** What the app registers with `onStop` runs also when its own start fails half-way. */
export function stopHooksStep({ stopHooks }: Application): Step {
  return { name: "the app's hooks", start: () => undefined, stop: () => stopHooks.run() };
}

/** A module can take as long as it likes to load, and a signal ends that, too. */
export function appModuleStep(application: Application): Step<LoadedFunction> {
  return { name: "the app's module", start: () => application.loadFactory() };
}

/** Gives the app, whatever kind of app that is. */
export function appStep(application: Application, factory: LoadedFunction): Step<BuiltApp> {
  return { name: "the app", start: () => application.makeApp(factory) };
}
