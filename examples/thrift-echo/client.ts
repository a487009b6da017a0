import { loadService, makeClient } from "tsserve/thrift";
import type { EchoClient } from "./echo.types.ts";

const client = makeClient<EchoClient>(loadService("./echo.thrift", "Echo"), {
  endpoint: process.argv[2] ?? "localhost:9090",
  userAgent: "echo-example",
});
const { text } = await client.methods.greet(process.env["USER"] ?? "you", 2);
console.log(text);
client.close();
