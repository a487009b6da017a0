const Koa = require("koa");
const { Router } = require("@koa/router");

const app = new Koa();
const router = new Router();
router.get("/users/:id", (context) => {
  context.body = { id: context.params.id };
});
router.get("/fails", () => {
  throw new Error("by design");
});
router.get("/slow", async (context) => {
  await new Promise((resolve) => setTimeout(resolve, 500));
  context.body = "slow";
});
app.use(router.routes());

module.exports = app;
