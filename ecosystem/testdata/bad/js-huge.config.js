module.exports = Array.from({ length: 200000 }, (_, i) => ({ script: "a" + i }));
