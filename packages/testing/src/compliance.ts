import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { boundListeners, type Listener } from "@tsserve/listener";
import {
  ActiveRequests,
  Health,
  makeGuard,
  makeServerState,
  type Server,
  type ServerConfig,
  type ServerContext,
  type ServerFactory,
} from "@tsserve/server";
import { until } from "./until.ts";
import { freePort } from "./free-port.ts";

/** What a server factory must be told of to be tested: how its clients speak. */
export interface ComplianceSubject {
  readonly makeServer: ServerFactory;
  /** Options of the `[server:…]` section. */
  readonly config?: ServerConfig;
  /** An app whose slow request ends when `release` is called. */
  makeApp(): { readonly app: unknown; release(): void };
  /** Sends one quick request and checks its answer; rejects when there is none. */
  quickRequest(port: number): Promise<void>;
  /** Begins a slow request: resolves when the server has it, to a promise for its answer. */
  slowRequest(port: number): Promise<{ readonly answer: Promise<void> }>;
}

export interface ComplianceTest {
  readonly name: string;
  run(): Promise<void>;
}

/**
 * What every server factory must do, whatever its protocol, as tests for any runner:
 *
 *     for (const { name, run } of complianceTests(subject)) test(name, run);
 */
export function complianceTests(subject: ComplianceSubject): ComplianceTest[] {
  return [
    {
      name: "binds nothing before start",
      run: () => withServer(subject, async ({ port }) => expectRefused(port), { start: false }),
    },
    {
      name: "serves when start has resolved",
      run: () => withServer(subject, ({ port }) => subject.quickRequest(port)),
    },
    {
      name: "rejects start when the port is taken, and leaves nothing behind",
      run: async () => {
        const holder = createServer().listen(0, "127.0.0.1");
        await once(holder, "listening");
        const { port } = holder.address() as AddressInfo;
        const { server } = await build(subject, port);
        await expectRejection(server.start(), "start on a taken port");
        holder.close();
        await once(holder, "close");
        await expectRefused(port);
      },
    },
    {
      name: "counts requests in progress and open connections",
      run: () =>
        withServer(subject, async ({ port, server, release }) => {
          const { answer } = await subject.slowRequest(port);
          const { activeRequests, openConnections } = server.stats();
          release();
          await answer;
          check(activeRequests === 1, `expected 1 active request, found ${activeRequests}`);
          check(openConnections >= 1, `expected an open connection, found ${openConnections}`);
        }),
    },
    {
      name: "serves on during the drain",
      run: () =>
        withServer(subject, async ({ port, server }) => {
          server.drain();
          await subject.quickRequest(port);
        }),
    },
    {
      name: "finishes what is in progress when stopped, and refuses what is new",
      run: () =>
        withServer(subject, async ({ port, server, release }) => {
          const { answer } = await subject.slowRequest(port);
          const stopped = server.stop(new AbortController().signal);
          // It may first accept whom the kernel has connected already: to close the socket under them would lose their requests.
          await until("a connection to be refused", () => isRefused(port));
          release();
          await answer;
          const { cut } = await stopped;
          check(cut === 0, `expected nothing cut, found ${cut}`);
        }),
    },
    {
      name: "cuts and counts what is in progress at the deadline",
      run: () =>
        withServer(subject, async ({ port, server }) => {
          const { answer } = await subject.slowRequest(port);
          const failed = expectRejection(answer, "the answer of a request that is cut");
          const { cut } = await server.stop(AbortSignal.timeout(300));
          check(cut === 1, `expected 1 cut, found ${cut}`);
          await failed;
        }),
    },
    {
      name: "does not wait for silent connections when stopped",
      run: () =>
        withServer(subject, async ({ port, server }) => {
          const silent = connect(port, "127.0.0.1");
          await once(silent, "connect");
          const begun = performance.now();
          const { cut } = await server.stop(AbortSignal.timeout(10_000));
          silent.destroy();
          check(cut === 0, `expected nothing cut, found ${cut}`);
          check(performance.now() - begun < 5000, "expected the stop not to wait for a silent connection");
        }),
    },
  ];
}

interface Built {
  readonly server: Server;
  readonly port: number;
  readonly listeners: readonly Listener[];
  release(): void;
}

async function withServer(subject: ComplianceSubject, use: (built: Built) => Promise<void>, { start = true } = {}): Promise<void> {
  const built = await build(subject, await freePort());
  if (start) await built.server.start();
  try {
    await use(built);
  } finally {
    built.release();
    await built.server.stop(AbortSignal.timeout(1000));
  }
}

async function build({ makeServer, makeApp, config = {} }: ComplianceSubject, port: number): Promise<Built> {
  const { app, release } = makeApp();
  const listeners = await boundListeners({ host: "127.0.0.1", port });
  const server = await makeServer({ factory: "the subject", access_log: "false", ...config }, listeners, app, silentContext());
  return { server, port, listeners, release };
}

/** A context whose logger says nothing. */
function silentContext(): ServerContext {
  const state = makeServerState();
  const silence = (): void => undefined;
  const log = {
    fatal: silence,
    error: silence,
    warn: silence,
    info: silence,
    debug: silence,
    trace: silence,
    silent: silence,
    level: "silent",
    isLevelEnabled: () => false,
  };
  const logger = { ...log, child: () => logger } as unknown as ServerContext["log"];
  return {
    log: logger,
    logger: () => logger,
    state,
    health: new Health(state, silence),
    requests: new ActiveRequests(),
    guard: makeGuard(silence),
    placeOf: (key) => key,
    folder: process.cwd(),
    loadFunction: () => Promise.reject(new Error("the compliance suite loads no modules")),
  };
}

async function expectRefused(port: number): Promise<void> {
  check(await isRefused(port), `expected a connection to port ${port} to be refused`);
}

function isRefused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
    socket.once("error", () => resolve(true));
  });
}

async function expectRejection(promise: Promise<unknown>, what: string): Promise<void> {
  const rejected = await promise.then(
    () => false,
    () => true,
  );
  check(rejected, `expected ${what} to fail`);
}

function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}
