import { timerMs } from "@tsserve/server";
import { BrokerError } from "./outcome-errors.ts";

/** What the promise gives, unless it takes too long. @throws {BrokerError} `timeout`, naming what was not answered */
export function within<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new BrokerError("timeout", `${what}: no answer within ${ms} ms`)), timerMs(ms));
    promise.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error as Error);
      },
    );
  });
}
