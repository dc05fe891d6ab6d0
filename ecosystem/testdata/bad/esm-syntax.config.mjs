export const apps = [
  { script: "a.js",, },
];
