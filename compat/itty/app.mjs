import { Router, error, json } from "itty-router";

const router = Router({
  catch: (thrown) => {
    console.error(thrown);
    return error(500);
  },
  finally: [json],
});
router
  .get("/users/:id", ({ params }) => ({ id: params.id }))
  .get("/fails", () => {
    throw new Error("by design");
  })
  .get("/slow", async () => {
    await new Promise((resolve) => setTimeout(resolve, 500));
    return "slow";
  });

export default router;
