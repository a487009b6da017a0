const restify = require("restify");

exports.makeApp = (_config, context) => {
  const server = restify.createServer();
  server.get("/users/:id", (request, response, next) => {
    response.send({ id: request.params.id });
    next();
  });
  server.get("/fails", (_request, _response, next) => next(new Error("by design")));
  server.get("/slow", async (_request, response) => {
    await new Promise((resolve) => setTimeout(resolve, 500));
    response.send("slow");
  });
  server.on("restifyError", (_request, _response, err, done) => {
    context.log.error({ err }, "restify failed");
    done();
  });
  return server;
};
