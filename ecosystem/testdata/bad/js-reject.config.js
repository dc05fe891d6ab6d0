module.exports = (async () => {
  throw new RangeError("later");
})();
