// Sends one request again and again on so many connections, so many of them outstanding on each, and counts the
// answers by their length: node load.js PORT CONNECTIONS DEPTH SECONDS HEX [RATE]
// With RATE (requests per second in all), latencies are measured from when a request was due.
import { once } from "node:events";
import { connect } from "node:net";

const [port, connections, depth, seconds, hex, rate] = process.argv.slice(2);
const request = Buffer.from(hex, "hex");
const batches = Array.from({ length: Number(depth) + 1 }, (_, count) => Buffer.concat(Array.from({ length: count }, () => request)));
const buffer = Buffer.alloc(1024 * 1024);

let answerBytes = 0;
let answers = 0;
let isMeasured = false;
const latencies = [];

/** The length of an answer, from the first. */
async function lengthOfAnswer() {
  const socket = connect(Number(port), "127.0.0.1");
  let length = 0;
  socket.on("data", (chunk) => (length += chunk.length));
  socket.write(request);
  await once(socket, "data");
  await new Promise((resolve) => setTimeout(resolve, 200));
  socket.destroy();
  return length;
}

function open() {
  let received = 0;
  const sent = [];
  const socket = connect({
    port: Number(port),
    host: "127.0.0.1",
    onread: {
      buffer,
      callback: (count) => {
        received += count;
        const done = Math.floor(received / answerBytes);
        received -= done * answerBytes;
        if (done === 0) return true;
        if (isMeasured) answers += done;
        if (rate === undefined) socket.write(batches[done]);
        else {
          const now = performance.now();
          for (let index = 0; index < done; index++) {
            const due = sent.shift();
            if (isMeasured) latencies.push(now - due);
          }
        }
        return true;
      },
    },
  });
  socket.setNoDelay(true);
  socket.on("error", (error) => {
    console.error(error.message);
    process.exit(1);
  });
  return { socket, sent };
}

answerBytes = await lengthOfAnswer();
const clients = Array.from({ length: Number(connections) }, open);
if (rate === undefined) for (const { socket } of clients) socket.write(batches[Number(depth)]);
else {
  const begun = performance.now();
  let sentCount = 0;
  setInterval(() => {
    const due = ((performance.now() - begun) / 1000) * Number(rate);
    for (; sentCount < due; sentCount++) {
      const { socket, sent } = clients[sentCount % clients.length];
      sent.push(begun + (sentCount * 1000) / Number(rate));
      socket.write(request);
    }
  }, 1);
}
await new Promise((resolve) => setTimeout(resolve, 700));
isMeasured = true;
process.send?.("begin");
const from = performance.now();
await new Promise((resolve) => setTimeout(resolve, Number(seconds) * 1000));
const elapsed = (performance.now() - from) / 1000;
isMeasured = false;
latencies.sort((a, b) => a - b);
const at = (quantile) => latencies[Math.floor(latencies.length * quantile)];
process.send?.({ answers, rps: answers / elapsed, answerBytes, p50: at(0.5), p99: at(0.99) });
process.exit(0);
