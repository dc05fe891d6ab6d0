// Stands where `next build` with output: "standalone" leaves its server, and reads what that reads.
const http = require('node:http')
process.env.NODE_ENV = 'production'
process.chdir(__dirname)
const port = parseInt(process.env.PORT, 10) || 3000
const hostname = process.env.HOSTNAME || '0.0.0.0'
const build = require('node:fs').readFileSync('.next/BUILD_ID', 'utf8').trim()
http.createServer((req, res) => {
  res.setHeader('x-build', build)
  res.end(`<html>shop ${build}</html>`)
}).listen(port, hostname, () => console.log(`- Local: http://${hostname}:${port}`))
