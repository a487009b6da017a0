import amqplib from "amqplib";

// What one would write by hand: parse, handle, acknowledge each.
const [port, prefetch, messages, warmUp] = process.argv.slice(2, 6).map(Number);
const queue = process.argv[6];
const connection = await amqplib.connect(`amqp://127.0.0.1:${port}`, { noDelay: true });
const channel = await connection.createChannel();
await channel.prefetch(prefetch);
let count = 0;
let begun = 0;
let cpu;
let isDone = false;
const handle = async (body) => {
  count += 1;
  if (count === warmUp) {
    begun = performance.now();
    cpu = process.cpuUsage();
  }
  return body;
};
await channel.consume(queue, (message) => {
  void handle(JSON.parse(message.content.toString())).then(() => {
    channel.ack(message);
    // Several come in one piece: all of them are counted before the first has been handled.
    if (count < messages || isDone) return;
    isDone = true;
    const { user, system } = process.cpuUsage(cpu);
    console.log(`DONE ${performance.now() - begun} ${user + system}`);
  });
});
