// Package pm2 speaks pm2's own files and wire protocol, so that programs written
// for pm2 (the npm package as a library, its command line, exporters) talk to gpm.
//
// The wire is two sockets. On rpc.sock a client calls methods: [Server] answers
// them from a [Backend]. On pub.sock it listens: [Bus] sends every event to every
// subscriber. Both carry frames ([ReadMessage], [AppendMessage]). [Element] builds
// what pm2 calls a process, and [ParseConfig] reads what it calls an app.
//
// The files are dump.pm2 ([ReadDump], [WriteDump]) and module_conf.json ([Conf]);
// [Locate] says where they stand.
//
// Everything here was learnt from the outside: by running pm2 and its clients and
// looking at what they send and write.
package pm2
