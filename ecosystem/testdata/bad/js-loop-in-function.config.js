module.exports = () => { for (;;); };
