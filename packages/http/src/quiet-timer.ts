import { Socket } from "node:net";

/** Of a socket, what its timer calls when it has been quiet for too long, and what puts the timer off when it is not quiet. */
interface TimerParts {
  _onTimeout(): void;
  _unrefTimer(): void;
}

interface QuietTimer {
  /** What Node's own timer is set to; 0 where there is none. */
  ms: number;
  /** Whether it has been called off, and goes on all the same. */
  isOff: boolean;
}

const timerKey: unique symbol = Symbol("tsserve.quietTimer");

interface TimedSocket extends Socket, TimerParts {
  [timerKey]: QuietTimer;
  timeout: number;
}

const { setTimeout: setAnew, _onTimeout: tellQuiet, _unrefTimer: putOff } = Socket.prototype as unknown as TimedSocket;

/**
 * Gives a socket one timer for all of its requests. Node calls a connection's timer off with each request, and sets it again with each
 * answer (`resOnFinish` and `resetSocketTimeout` in github.com/nodejs/node/blob/main/lib/_http_server.js): a new timer and a
 * new function each time. Here the timer goes on while it is called off, does nothing should it end meanwhile, and is only put
 * off, as by whatever comes, when the same time is set again. `setTimeout` keeps its meaning for apps.
 */
export function keepQuietTimer(plain: Socket): void {
  if (typeof tellQuiet !== "function" || typeof putOff !== "function") return;
  const socket = plain as TimedSocket;
  socket[timerKey] = { ms: 0, isOff: false };
  socket.setTimeout = setTimeoutAgain;
  socket._onTimeout = hasBeenQuiet;
}

function setTimeoutAgain(this: TimedSocket, ms: number, callback?: () => void): TimedSocket {
  const timer = this[timerKey];
  if (callback === undefined && timer.ms > 0 && !this.destroyed) {
    if (ms === 0) {
      timer.isOff = true;
      this.timeout = 0;
      return this;
    }
    if (ms === timer.ms) {
      timer.isOff = false;
      this.timeout = ms;
      this._unrefTimer();
      return this;
    }
  }
  // Of what is no time at all, Node tells.
  setAnew.call(this, ms, callback);
  timer.isOff = false;
  timer.ms = ms > 0 ? ms : 0;
  return this;
}

function hasBeenQuiet(this: TimedSocket): void {
  const timer = this[timerKey];
  if (!timer.isOff) {
    tellQuiet.call(this);
    return;
  }
  timer.isOff = false;
  timer.ms = 0;
  setAnew.call(this, 0);
}
