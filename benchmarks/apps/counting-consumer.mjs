export const makeApp = (config) => {
  const messages = Number(config.messages);
  const warmUp = Number(config.warm_up);
  let count = 0;
  let begun = 0;
  let cpu;
  return {
    consumers: [
      {
        name: "throughput",
        amqp: { queue: config.queue },
        async handle() {
          count += 1;
          if (count === warmUp) {
            begun = performance.now();
            cpu = process.cpuUsage();
          }
          if (count !== messages) return;
          const { user, system } = process.cpuUsage(cpu);
          console.log(`DONE ${performance.now() - begun} ${user + system}`);
        },
      },
    ],
  };
};
