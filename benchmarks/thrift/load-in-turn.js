// Keeps so many connections to each of several servers, and on demand sends one request again and again to one of them for some
// seconds, so many of them outstanding on each connection. Started with fork; its first message is
// { servers: [{ port, pid, hex }], connections, depth }, each further one { index, seconds }.
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";

const leadMs = 100;
const buffer = Buffer.alloc(1024 * 1024);

/** Microseconds that all threads of a process have run. */
function cpuMicros(pid) {
  let nanos = 0;
  for (const task of readdirSync(`/proc/${pid}/task`))
    nanos += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "latin1").split(" ")[0]);
  return nanos / 1000;
}

/** The length of an answer, from the first. */
async function lengthOfAnswer(port, request) {
  const socket = connect(port, "127.0.0.1");
  let length = 0;
  socket.on("data", (chunk) => (length += chunk.length));
  socket.write(request);
  await once(socket, "data");
  await new Promise((resolve) => setTimeout(resolve, 200));
  socket.destroy();
  return length;
}

/** The connections to one server. */
async function open({ port, pid, hex }, connections, depth) {
  const request = Buffer.from(hex, "hex");
  const batches = Array.from({ length: depth + 1 }, (_, count) => Buffer.concat(Array.from({ length: count }, () => request)));
  const answerBytes = await lengthOfAnswer(port, request);
  const state = { pid, answers: 0, outstanding: 0, isSending: false, onQuiet: () => {} };
  const sockets = Array.from({ length: connections }, () => {
    let received = 0;
    const socket = connect({
      port,
      host: "127.0.0.1",
      noDelay: true,
      onread: {
        buffer,
        callback: (count) => {
          received += count;
          const done = Math.floor(received / answerBytes);
          received -= done * answerBytes;
          if (done === 0) return true;
          state.answers += done;
          if (state.isSending) socket.write(batches[done]);
          else if ((state.outstanding -= done) === 0) state.onQuiet();
          return true;
        },
      },
    });
    socket.on("error", (error) => {
      console.error(error.message);
      process.exit(1);
    });
    return socket;
  });
  return Object.assign(state, {
    begin() {
      state.isSending = true;
      state.outstanding = connections * depth;
      for (const socket of sockets) socket.write(batches[depth]);
    },
    end: () =>
      new Promise((resolve) => {
        state.onQuiet = resolve;
        state.isSending = false;
      }),
  });
}

async function slice(server, seconds) {
  server.begin();
  await new Promise((resolve) => setTimeout(resolve, leadMs));
  const [from, answers, cpu] = [performance.now(), server.answers, cpuMicros(server.pid)];
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const [elapsed, answered, used] = [performance.now() - from, server.answers - answers, cpuMicros(server.pid) - cpu];
  await server.end();
  return { rps: (answered / elapsed) * 1000, cpuMicros: used / answered };
}

const [{ servers, connections, depth }] = await once(process, "message");
const opened = [];
for (const server of servers) opened.push(await open(server, connections, depth));
process.on("message", ({ index, seconds }) => {
  void slice(opened[index], seconds).then((figures) => process.send(figures));
});
process.send("ready");
