const apps: = [];
export default { apps };
