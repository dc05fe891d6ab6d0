// A Next.js site built with `output: "standalone"`: the build leaves a server.js that needs neither the sources nor
// node_modules of the project. It reads PORT and HOSTNAME.
const path = require("path");

const release = path.join(__dirname, ".next", "standalone");

module.exports = {
  apps: [
    {
      name: "shop",
      script: "server.js",
      cwd: release,
      exec_mode: "cluster",
      instances: "max",
      node_args: "--max-old-space-size=512 --enable-source-maps",
      max_memory_restart: "700M",
      kill_timeout: 10000,
      env: {
        NODE_ENV: "production",
        HOSTNAME: "127.0.0.1",
        PORT: 3000,
        NEXT_TELEMETRY_DISABLED: 1,
      },
      env_staging: { PORT: 3100, NEXT_PUBLIC_STAGE: "staging" },
      out_file: path.join(__dirname, "logs", "shop.log"),
      error_file: path.join(__dirname, "logs", "shop.log"),
      merge_logs: true,
    },
  ],
  deploy: {
    production: {
      user: "deploy",
      host: ["web1.example.com", "web2.example.com"],
      ref: "origin/main",
      repo: "git@example.com:shop.git",
      path: "/srv/shop",
      "post-deploy": "npm ci && npm run build && pm2 reload ecosystem.config.js --env production",
    },
  },
};
