// A NestJS monorepo: the HTTP API scales over the CPUs and says `process.send("ready")` after app.listen(); a
// microservice consumes a queue; both are compiled to dist/ by nest build.
interface App {
  name: string;
  script: string;
  [option: string]: unknown;
}

const common = {
  autorestart: true,
  expBackoffRestartDelay: 200,
  maxRestarts: 10,
  minUptime: "5s",
  env: { NODE_ENV: "development", LOG_LEVELS: ["log", "warn", "error"] },
  env_production: { NODE_ENV: "production", LOG_LEVELS: ["warn", "error"] },
};

const apps: App[] = [
  {
    ...common,
    name: "api",
    script: "dist/apps/api/main.js",
    instances: "50%",
    waitReady: true,
    listenTimeout: 8_000,
    killTimeout: "15s",
    port: 3000,
  },
  {
    ...common,
    name: "mailer",
    script: "dist/apps/mailer/main.js",
    interpreterArgs: ["--enable-source-maps"],
    cronRestart: "0 4 * * *",
    stopExitCodes: [0],
  },
];

export default { apps };
