module.exports = {
  apps: [{ script: nothing }],
};
