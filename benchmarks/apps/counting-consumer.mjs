export const makeApp = (config) => {
  let count = 0;
  let begun = 0;
  return {
    consumers: [
      {
        name: "throughput",
        amqp: { queue: "throughput" },
        async handle() {
          if (count === 0) begun = performance.now();
          count += 1;
          if (count === Number(config.messages)) console.log(`DONE ${performance.now() - begun}`);
        },
      },
    ],
  };
};
