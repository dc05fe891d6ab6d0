module.exports = new Promise(() => {});
