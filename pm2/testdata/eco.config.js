module.exports = {
  apps: [{
    name: 'eco', script: 'app.js', env: { B: 2 }, env_production: { NODE_ENV: 'production' },
    stop_exit_codes: [0, 3], max_memory_restart: '1G', min_uptime: '5s', watch: false,
  }],
}
