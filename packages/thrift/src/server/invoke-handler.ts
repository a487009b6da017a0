import type { Callable } from "../codec/codec.ts";

/**
 * A handler's method as a function that gives a value or a promise, however it is written: a method that takes
 * one argument more than its service has is in Apache's callback style.
 *
 * @param argumentCount how many arguments the IDL has, the context included where it is passed
 */
export function plainStyle(method: Callable, argumentCount: number): Callable {
  if (method.length !== argumentCount + 1) return method;
  return function withCallback(this: unknown, ...values: unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const callback = (error: unknown, value: unknown): void => {
        if (error === null || error === undefined) resolve(value);
        else reject(error as Error);
      };
      Reflect.apply(method, this, [...values, callback]);
    });
  };
}
