import { Socket } from "node:net";
import type { Clock } from "@tsserve/server";

/** Of a socket, what its timer calls when it has been quiet for too long, and what puts the timer off when it is not quiet. */
interface TimerParts {
  _onTimeout(): void;
  _unrefTimer(): void;
}

/** What carries requests on a socket. */
export interface Idling {
  /** Whether none is in progress. */
  readonly isIdle: boolean;
  /** When the last one ended, on the clock. */
  readonly idleSince: number;
}

interface QuietTimer {
  readonly idling: Idling;
  readonly clock: Clock;
  /** What `setTimeout` was last told; 0 where there is no timer of Node's. */
  ms: number;
  /** Whether it has been called off, while Node's timer goes on all the same. */
  isOff: boolean;
  /** Whether Node's timer has ended. */
  isSpent: boolean;
  /** When something last came or went otherwise than with a request that ended. */
  touchedAt: number;
}

const timerKey: unique symbol = Symbol("tsserve.quietTimer");

interface TimedSocket extends Socket, TimerParts {
  [timerKey]: QuietTimer;
  timeout: number;
  /** Of a TLS socket, what it reads from, which may have a timer of its own. */
  readonly _parent?: Socket | null;
}

const { setTimeout: setAnew, _onTimeout: tellQuiet, _unrefTimer: putOff } = Socket.prototype as unknown as TimedSocket;

/**
 * Gives a socket one timer for all of its requests. Node calls a connection's timer off with each request and sets it again with each
 * answer (`resOnFinish` and `resetSocketTimeout` in github.com/nodejs/node/blob/main/lib/_http_server.js), and puts it off with
 * each piece that comes or goes. Here it goes on meanwhile, and only when it ends it is looked at how long the socket has been quiet,
 * which the connection knows anyway; for the rest of the time it is set again. `setTimeout` keeps its meaning for apps.
 */
export function keepQuietTimer(plain: Socket, idling: Idling, clock: Clock): void {
  if (typeof tellQuiet !== "function" || typeof putOff !== "function") return;
  const socket = plain as TimedSocket;
  socket[timerKey] = { idling, clock, ms: 0, isOff: false, isSpent: false, touchedAt: 0 };
  socket.setTimeout = setTimeoutAgain;
  socket._onTimeout = hasBeenQuiet;
  socket._unrefTimer = touch;
}

function setTimeoutAgain(this: TimedSocket, ms: number, callback?: () => void): TimedSocket {
  const timer = this[timerKey];
  if (callback === undefined && timer.ms > 0 && !this.destroyed && !timer.isSpent) {
    if (ms === 0) {
      timer.isOff = true;
      this.timeout = 0;
      return this;
    }
    if (ms === timer.ms) {
      timer.isOff = false;
      this.timeout = ms;
      if (!timer.idling.isIdle) timer.touchedAt = timer.clock.now();
      return this;
    }
  }
  // Of what is no time at all, Node tells.
  setAnew.call(this, ms, callback);
  timer.isOff = false;
  timer.isSpent = false;
  timer.ms = ms > 0 ? ms : 0;
  timer.touchedAt = timer.clock.now();
  return this;
}

function touch(this: TimedSocket): void {
  const timer = this[timerKey];
  if (timer.ms > 0) {
    if (timer.isOff) return;
    timer.touchedAt = timer.clock.now();
    if (!timer.isSpent && (this._parent === null || this._parent === undefined)) return;
    timer.isSpent = false;
  }
  putOff.call(this);
}

function hasBeenQuiet(this: TimedSocket): void {
  const timer = this[timerKey];
  if (timer.isOff) {
    timer.isOff = false;
    timer.ms = 0;
    setAnew.call(this, 0);
    return;
  }
  const { idling, clock, ms, touchedAt } = timer;
  const since = idling.isIdle && idling.idleSince > touchedAt ? idling.idleSince : touchedAt;
  const left = Math.ceil(since + ms - clock.now());
  if (left > 0 && left <= ms) {
    setAnew.call(this, left);
    this.timeout = ms;
    return;
  }
  timer.isSpent = true;
  tellQuiet.call(this);
}
