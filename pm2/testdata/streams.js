// Follows `pm2 logs --json` until its first line, which it prints.
const child = require('child_process').spawn(process.argv[2], ['logs', '--json'])
child.stdout.once('data', d => { process.stdout.write(d); child.kill('SIGKILL') })
child.stderr.pipe(process.stderr)
