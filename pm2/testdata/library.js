// Uses pm2 as a library; prints each step and what came back of it.
const pm2 = require('pm2')

function brief(v) {
  if (Array.isArray(v)) return v.map(brief).sort((a, b) => a[1] - b[1])
  if (v && v.process && v.data) return [v.process.name, v.process.pm_id, v.data]
  if (v && v.pm2_env) return [v.name ?? v.pm2_env.name, v.pm_id ?? v.pm2_env.pm_id, v.pm2_env.status, v.pm2_env.restart_time]
  return v
}

function step(method, ...args) {
  return new Promise(resolve => pm2[method](...args, (err, v) => {
    console.log(JSON.stringify([method, err ? 'error: ' + (err.message || err) : brief(v)]))
    resolve(v)
  }))
}

// next waits for an event of the bus.
function next(bus, topic, want = () => true) {
  return new Promise(resolve => {
    const handler = data => { if (want(data)) { bus.off(topic, handler); resolve(data) } }
    bus.on(topic, handler)
  })
}

async function main() {
  await new Promise((ok, no) => pm2.connect(err => err ? no(err) : ok()))
  const bus = await new Promise((ok, no) => pm2.launchBus((err, b) => err ? no(err) : ok(b)))

  const online = next(bus, 'process:event', d => d.event === 'online')
  await step('start', { script: 'app.js', name: 'lib', instances: 2, env: { A: '1' }, kill_timeout: 2000, stop_exit_codes: [3] })
  const { event, manually, process: proc } = await online
  console.log(JSON.stringify([event, manually, proc.name, proc.A, typeof proc.env]))

  const list = await step('list')
  const { monit, pm2_env } = list[0]
  console.log(JSON.stringify([monit, pm2_env.env.A, pm2_env.A, pm2_env.exec_mode, pm2_env.instances, pm2_env.kill_timeout, pm2_env.stop_exit_codes, pm2_env.axm_actions]))
  await step('describe', 'lib')

  const got = next(bus, 'got')
  await step('sendDataToProcessId', list[0].pm_id, { type: 'process:msg', data: { x: 1 }, topic: 'hi' })
  const { data, process: from } = await got
  console.log(JSON.stringify([data, from.name, from.pm_id]))
  await step('sendDataToProcessId', 99, { type: 'process:msg', data: { x: 1 }, topic: 'hi' })
  await step('sendDataToProcessId', list[0].pm_id, { data: { x: 1 } })

  const restarted = next(bus, 'process:event', d => d.event === 'restart')
  await step('restart', 'lib', { updateEnv: true })
  console.log((await restarted).event)
  await step('restart', 0)
  await step('reload', 'lib')
  await step('stop', 'lib')
  await step('restart', 'lib')
  await step('scale', 'lib', 3)
  await step('getProcessIdByName', 'lib')
  await step('sendSignalToProcessName', 'SIGUSR2', 'lib')
  await step('sendSignalToProcessId', 'SIGUSR2', 0)
  await step('sendLineToStdin', 0, 'a line')
  await step('trigger', 'lib', 'act')
  await step('reset', 'lib')
  await step('flush', 'lib')
  await step('reloadLogs')
  await step('ping')
  await step('getVersion')
  await step('dump')
  await step('stop', 'nope')
  await step('delete', 'lib')
  await step('describe', 'lib')
  bus.close()
  pm2.disconnect(() => console.log('disconnected'))
}

main().catch(err => { console.error(err); process.exit(1) })
