const apps = [];
apps.push(apps);
module.exports = { apps };
