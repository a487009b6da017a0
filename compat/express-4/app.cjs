const express = require("express");

const app = express();
const router = express.Router();
router.get("/users/:id", (request, response) => response.json({ id: request.params.id }));
app.use("/api", router);
app.get("/fails", () => {
  throw new Error("by design");
});
app.get("/slow", (_request, response) => setTimeout(() => response.send("slow"), 500));

if (!module.parent) app.listen(3000);
module.exports = app;
