import { createSchema, createYoga } from "graphql-yoga";

const schema = createSchema({ typeDefs: "type Query { hello: String }", resolvers: { Query: { hello: () => "world" } } });
const yoga = createYoga({ schema, logging: false });

export default {
  fetch: async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/users/7") return Response.json({ id: "7" });
    if (pathname === "/fails") throw new Error("by design");
    if (pathname === "/slow") return new Promise((resolve) => setTimeout(() => resolve(new Response("slow")), 500));
    return yoga.fetch(request);
  },
};
