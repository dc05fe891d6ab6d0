// A web server that answers with its pid. PORT 0 = any; prints "listening PORT".
'use strict'
const http = require('http')

const server = http.createServer((_req, res) => res.end(`${process.pid}\n`))
server.listen(Number(process.env.PORT || 0), '127.0.0.1', () => {
  console.log('listening', server.address().port)
})
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    server.close(() => process.exit(0))
    server.closeIdleConnections()
  })
}
