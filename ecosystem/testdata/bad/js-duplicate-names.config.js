module.exports = { apps: [
  { name: "web", script: "a.js" },
  { script: "web.js" },
] };
