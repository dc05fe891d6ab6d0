"use strict";
// Stands where `nest build` puts the API of a monorepo: it listens, then tells its manager.
Object.defineProperty(exports, "__esModule", { value: true });
const http = require("node:http");
async function bootstrap() {
  const app = http.createServer((req, res) => res.end(JSON.stringify({ env: process.env.NODE_ENV, levels: JSON.parse(process.env.LOG_LEVELS) })));
  await new Promise((resolve) => app.listen(process.env.PORT ?? 3000, "127.0.0.1", resolve));
  process.send("ready");
}
bootstrap();
