import { start, type REPLEval, type REPLServer } from "node:repl";
import { PassThrough, type Duplex } from "node:stream";
import type { Context } from "node:vm";

/** The last byte of a session that has come to its end: without it, the process has gone. */
export const endOfSession = "\u0004";
const interrupt = 3;

export interface ReplSessionOptions {
  /** What there is to talk about: `app`, `config`, `context`. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** The width of the operator's terminal; 0 where it is none, as behind a pipe. */
  readonly columns: number;
  /** Without a byte for so long, it ends. */
  readonly idleMs: number;
  /** Called with each line before it runs. */
  onLine(line: string): void;
  /** Called once, when it is over. */
  onEnd(): void;
}

export interface ReplSession {
  /** Ends it, with a sentence that says why. */
  end(reason: string): void;
}

/**
 * A REPL over a stream, in a process that does something else as well. What is thrown there, now or later, is printed there. Ctrl-C
 * gives up what is waited for: a promise that never settles holds up nobody.
 */
export function startReplSession(stream: Duplex, options: ReplSessionOptions): ReplSession {
  const { columns, idleMs, variables, onLine, onEnd } = options;
  let repl: REPLServer | undefined;
  let input = new PassThrough();
  let context: Context | undefined;
  /** What was entered, and has not come to its end. */
  let running = 0;
  let hasEnded = false;
  let idle: NodeJS.Timeout | undefined;

  const end = (reason?: string): void => {
    if (hasEnded) return;
    hasEnded = true;
    clearTimeout(idle);
    repl?.close();
    if (stream.writable) stream.end(`${reason === undefined ? "" : `\n${reason}\n`}${endOfSession}`);
    onEnd();
  };

  /** A REPL that waits can't be told to stop waiting: another one, with the same variables, takes its place. */
  const begin = (): void => {
    const own = new PassThrough();
    const output = Object.assign(new PassThrough(), { columns });
    const begun = start({ prompt: columns === 0 ? "" : "> ", input: own, output, terminal: columns > 0 });
    if (context === undefined) context = Object.assign(begun.context, variables);
    else (begun as { context: Context }).context = context;
    const evaluate = begun.eval as REPLEval;
    (begun as { eval: REPLEval }).eval = function evaluateAndCount(this: REPLServer, code, where, file, done) {
      running += 1;
      evaluate.call(this, code, where, file, (error, result) => {
        if (repl === begun) running -= 1;
        done(error, result);
      });
    };
    begun.prependListener("line", onLine);
    begun.on("exit", () => {
      if (repl === begun) setImmediate(end);
    });
    output.on("data", (bytes: Buffer) => {
      if (repl === begun && stream.writable) stream.write(bytes);
    });
    input = own;
    repl = begun;
    running = 0;
  };

  const interrupted = (): void => {
    const before = repl;
    if (running > 0) {
      begin();
      before?.close();
      stream.write("\nno longer waited for\n> ");
    } else {
      before?.clearBufferedCommand();
      before?.displayPrompt();
    }
  };

  const take = (bytes: Buffer): void => {
    idle?.refresh();
    const at = bytes.indexOf(interrupt);
    // With a terminal, the REPL itself knows what Ctrl-C means where nothing runs.
    if (at === -1 || (columns > 0 && running === 0)) {
      input.write(bytes);
      return;
    }
    if (at > 0) input.write(bytes.subarray(0, at));
    interrupted();
    if (at + 1 < bytes.length) take(bytes.subarray(at + 1));
  };

  begin();
  idle = setTimeout(() => end(`${Math.round(idleMs / 60_000)} minutes without a line: the REPL ends`), idleMs);
  idle.unref();
  stream.on("data", (bytes: Buffer | string) => take(Buffer.from(bytes as string)));
  stream.on("end", () => input.end());
  // Whoever has gone is no reason to fail.
  stream.on("error", () => end());
  stream.on("close", () => end());
  return { end };
}
