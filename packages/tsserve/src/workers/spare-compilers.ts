import { setFlagsFromString } from "node:v8";

/**
 * A master runs little code, once a second: V8's optimizing compilers would cost it memory and save it nothing. Called
 * by who knows that it is a master, which has compiled little until then.
 */
export function spareCompilers(): void {
  setFlagsFromString("--no-opt");
  setFlagsFromString("--no-maglev");
  setFlagsFromString("--no-sparkplug");
}
