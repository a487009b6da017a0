import Hapi from "@hapi/hapi";

const server = Hapi.server();
server.route([
  { method: "GET", path: "/users/{id}", handler: ({ params }) => ({ id: params.id }) },
  {
    method: "GET",
    path: "/fails",
    handler: () => {
      throw new Error("by design");
    },
  },
  {
    method: "GET",
    path: "/slow",
    handler: async () => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      return "slow";
    },
  },
]);

export default server;
