import { Hono } from "hono";

const app = new Hono();
app.onError((error) => {
  throw error;
});
app.get("/users/:id", (context) => context.json({ id: context.req.param("id") }));
app.get("/fails", () => {
  throw new Error("by design");
});
app.get("/slow", async (context) => {
  await new Promise((resolve) => setTimeout(resolve, 500));
  return context.text("slow");
});

export default app;
