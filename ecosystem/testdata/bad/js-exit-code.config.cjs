if (!process.env.DEPLOY_KEY) {
  process.exit(7);
}
