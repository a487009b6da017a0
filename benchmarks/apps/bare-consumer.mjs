import amqplib from "amqplib";

// What one would write by hand: parse, handle, acknowledge each.
const [port, prefetch, messages] = process.argv.slice(2).map(Number);
const connection = await amqplib.connect(`amqp://127.0.0.1:${port}`, { noDelay: true });
const channel = await connection.createChannel();
await channel.prefetch(prefetch);
let count = 0;
let begun = 0;
const handle = async (body) => body;
await channel.consume("throughput", (message) => {
  if (count === 0) begun = performance.now();
  count += 1;
  void handle(JSON.parse(message.content.toString())).then(() => {
    channel.ack(message);
    if (count === messages) console.log(`DONE ${performance.now() - begun}`);
  });
});
