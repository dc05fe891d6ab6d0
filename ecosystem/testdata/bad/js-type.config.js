module.exports = {
  apps: [{
    name: "api",
    script: "a.js",
    instances: NaN,
  }],
};
