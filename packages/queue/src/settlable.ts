/** A promise, with what settles it. Whoever never asks for its outcome is not ended by a rejection. */
export interface Settlable {
  readonly promise: Promise<void>;
  resolve(): void;
  reject(error: Error): void;
}

/** As `Promise.withResolvers`, which Node has from version 22 on. */
export function settlable(): Settlable {
  let resolve: () => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
