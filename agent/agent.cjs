'use strict';
// gpm's agent inside a Node app, preloaded by NODE_OPTIONS. It talks JSON lines
// with gpm over an inherited socket, does nothing until told to, never keeps
// the app alive and never throws into it. The Go end documents the messages.

// Taken now, because apps and test tools replace some of these later.
const { setTimeout, setInterval, clearInterval, setImmediate, Buffer, JSON, Promise } = globalThis;
const { isMainThread } = require('worker_threads');
const fs = require('fs');
const { writeSync } = fs;
const { basename } = require('path');

const STATS_CREDIT = 10; // reports per subscription, so that an absent reader never fills the socket
const MAX_COMMAND = 1 << 20; // characters of one command
const CHUNK = 200; // module names in one line

// The threads of an app share its descriptors and its heap limits: one agent does.
if (isMainThread) {
  start();
  quietly(forgetStat);
}

function start() {
  const fd = Number(process.env.GPM_AGENT_FD);
  quietly(cleanTraces);
  if (!quietly(() => isOurs(fd))) return;
  quietly(() => blockOutput(process, 'stdout', 1));
  quietly(() => blockOutput(process, 'stderr', 2));
  quietly(() => connect(fd));
}

// forgetStat has a file be what was looked at last: Node's realpathSync judges folders that it knows by what that was, and does not resolve
// the link that the app's script may be (node_modules/.bin/next) after a socket or a pipe.
function forgetStat() {
  fs.lstatSync(__filename);
}

function quietly(f) {
  try {
    return f();
  } catch {
    return undefined;
  }
}

// cleanTraces leaves environment and module cache as the app would have them
// without gpm. The flag's text is looked for, not computed: __filename is the
// real path, the flag may hold a symlink.
function cleanTraces() {
  const env = process.env;
  delete env.GPM_AGENT_FD;
  delete require.cache[__filename];
  const given = env.NODE_OPTIONS;
  if (given === undefined) return;
  const kept = given.replace(/( ?)--require="(?:[^"\\]|\\.)*gpm-agent-[0-9a-f]+\.cjs"/, '');
  if (kept !== '' || given[0] === ' ') env.NODE_OPTIONS = kept;
  else delete env.NODE_OPTIONS;
}

// isOurs guards against a number that outlived its descriptor, for instance
// through a wrapper that closes what it does not know.
function isOurs(fd) {
  return fd > 2 && !(process.channel && process.channel.fd === fd) && isConnection(fs.fstatSync(fd));
}

// On Windows it is a pipe, and isFIFO is always false there.
function isConnection(stat) {
  return stat.isSocket() || (process.platform === 'win32' && (stat.mode & 0o170000) === 0o010000);
}

// blockOutput makes writes to a pipe synchronous: otherwise what the pipe cannot
// hold at once is queued in the process and lost by process.exit. A child that
// shares the pipe may make it non-blocking for both, at any time.
function blockOutput(owner, name, fd) {
  if (!fs.fstatSync(fd).isFIFO()) return;
  const stream = owner[name];
  const handle = stream._handle;
  if (!handle || !handle.setBlocking || handle.setBlocking(true) !== 0) return;
  const property = (value) => ({ value, writable: true, configurable: true });
  Object.defineProperties(stream, {
    _writev: property(null),
    _write: property((chunk, encoding, done) => {
      try {
        writeAll(fd, typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk, handle);
      } catch (error) {
        return done(error);
      }
      done();
    }),
  });
}

function writeAll(fd, bytes, handle) {
  for (let from = 0; from < bytes.length; ) {
    try {
      from += writeSync(fd, bytes, from);
    } catch (error) {
      if (error.code !== 'EAGAIN' || handle.setBlocking(true) !== 0) throw error;
    }
  }
}

function connect(fd) {
  const { Socket } = require('net');
  const socket = new Socket({ fd, readable: true, writable: true });
  const stats = newStats((report) => {
    if (socket.writableLength === 0) send({ stats: report });
  });
  const commands = newCommands(stats, send);
  let rest = '';

  socket.unref();
  socket.setEncoding('utf8');
  socket.on('error', () => stats.stop());
  socket.on('close', () => stats.stop());
  socket.on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    if (rest.length > MAX_COMMAND) rest = '';
    for (const line of lines) obey(line);
  });
  send({ hello: { pid: process.pid, node: process.version } });

  function send(message) {
    quietly(() => socket.destroyed || socket.write(JSON.stringify(message) + '\n'));
  }

  async function obey(line) {
    const command = quietly(() => JSON.parse(line));
    if (!command || !Object.hasOwnProperty.call(commands, command.do)) return;
    const { id } = command;
    try {
      const ok = (await commands[command.do](command)) || {};
      if (id) send({ id, ok });
    } catch (error) {
      if (id) send({ id, error: String((error && error.message) || error) });
    }
  }
}

function newCommands(stats, send) {
  const drain = once(drainKeepAlive);
  const arm = once(armInspector);
  return {
    ping: () => ({ inspect: arm(), sigusr1: process.listenerCount('SIGUSR1') }),
    drain,
    stats: ({ ms }) => (ms > 0 ? stats.start(ms) : stats.stop()),
    modules: ({ id }) => listModules((part) => send({ id, part })),
    heapSnapshot: ({ file }) => intoFile(file, () => require('v8').writeHeapSnapshot(file)),
    cpuProfile: ({ file, ms }) => record(file, ms, 'Profiler.enable', 'Profiler.start', 'Profiler.stop'),
    heapProfile: ({ file, ms }) =>
      record(file, ms, 'HeapProfiler.enable', 'HeapProfiler.startSampling', 'HeapProfiler.stopSampling'),
  };
}

function once(f) {
  let made;
  return () => (made = made || { value: f() }).value;
}

// armInspector lets SIGUSR1 open the inspector on a free port instead of 9229,
// for the stack of a hung loop. It opens nothing now.
function armInspector() {
  const own = /(^|\s)--inspect/.test([...process.execArgv, process.env.NODE_OPTIONS].join(' '));
  if (own || require('inspector').url()) return false;
  process.debugPort = 0;
  return true;
}

// drainKeepAlive sends clients elsewhere with their next answer (http/1) or when
// their running streams end (http/2; Node publishes the channel since 24).
function drainKeepAlive() {
  const { channel } = require('diagnostics_channel');
  channel('http.server.request.start').subscribe(({ response }) => {
    response.shouldKeepAlive = false;
  });
  channel('http2.server.stream.start').subscribe(({ stream }) => {
    // Not within the event: the stream is still being set up.
    setImmediate(() => quietly(() => stream.session.close()));
  });
}

// newStats measures only between start and stop: the delay monitor alone wakes
// the process fifty times in an interval. Sizes in bytes, times in nanoseconds.
function newStats(report) {
  let run;
  return { start, stop };

  function start(ms) {
    if (!run || run.ms !== ms) {
      stop();
      run = { ms, ...startMeters(ms) };
      run.timer = setInterval(() => quietly(tick), ms);
      run.timer.unref();
    }
    run.credit = STATS_CREDIT;
  }

  function stop() {
    if (!run) return;
    clearInterval(run.timer);
    run.delay.disable();
    run.gc.observer.disconnect();
    run = undefined;
  }

  function tick() {
    run.credit--;
    report({ left: run.credit, ...readMeters(run) });
    if (run.credit <= 0) stop();
  }
}

function startMeters(ms) {
  const { monitorEventLoopDelay, performance, PerformanceObserver, constants } = require('perf_hooks');
  const step = Math.round(Math.min(100, Math.max(20, ms / 50))); // between two looks at the loop
  const delay = monitorEventLoopDelay({ resolution: step });
  const names = {
    [constants.NODE_PERFORMANCE_GC_MINOR]: 'scavenge',
    [constants.NODE_PERFORMANCE_GC_MAJOR]: 'markSweep',
    [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
    [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weak',
  };
  const gc = { kinds: {} };
  gc.observer = new PerformanceObserver((list) => {
    for (const e of list.getEntries()) addPause(gc.kinds, names[(e.detail || e).kind] || 'other', e.duration);
  });
  gc.observer.observe({ entryTypes: ['gc'] });
  delay.enable();
  return { delay, step, gc, performance, loop: performance.eventLoopUtilization(), since: process.hrtime.bigint() };
}

function readMeters(run) {
  const loop = run.performance.eventLoopUtilization();
  const now = process.hrtime.bigint();
  const report = {
    period: Number(now - run.since),
    node: process.versions.node,
    memory: process.memoryUsage(),
    ...heapFigures(),
    gc: run.gc.kinds,
    loop: { ...delayFigures(run), utilization: run.performance.eventLoopUtilization(loop, run.loop).utilization },
    handles: process._getActiveHandles().length,
    requests: process._getActiveRequests().length,
  };
  Object.assign(run, { loop, since: now });
  run.gc.kinds = {};
  run.delay.reset();
  return report;
}

function heapFigures() {
  const v8 = require('v8');
  const figures = { heapLimit: v8.getHeapStatistics().heap_size_limit };
  for (const s of v8.getHeapSpaceStatistics()) {
    const size = { used: s.space_used_size, size: s.space_size };
    if (s.space_name === 'new_space') figures.newSpace = size;
    if (s.space_name === 'old_space') figures.oldSpace = size;
  }
  return figures;
}

function addPause(kinds, name, ms) {
  const sum = (kinds[name] = kinds[name] || { count: 0, total: 0, max: 0 });
  const pause = Math.round(ms * 1e6);
  sum.count++;
  sum.total += pause;
  sum.max = Math.max(sum.max, pause);
}

// delayFigures takes off what a loop on time shows: the step.
function delayFigures({ delay, step }) {
  const late = (ns) => Math.max(0, Math.round(ns - step * 1e6)) || 0;
  return { p50: late(delay.percentile(50)), p95: late(delay.percentile(95)), p99: late(delay.percentile(99)), max: late(delay.max) };
}

// listModules sends the files the app runs: what require loaded, and every
// script the debugger knows of, which are the ES modules and stripped TypeScript.
async function listModules(sendPart) {
  const files = new Set(Object.keys(require.cache));
  await withInspector(async (post, session) => {
    session.on('Debugger.scriptParsed', ({ params }) => {
      if (params.url.startsWith('file://')) files.add(require('url').fileURLToPath(params.url));
    });
    await post('Debugger.enable');
  });
  const self = basename(__filename);
  const all = [...files].filter((file) => basename(file) !== self);
  for (let i = 0; i < all.length; i += CHUNK) sendPart(all.slice(i, i + CHUNK));
}

async function record(file, ms, enable, begin, end) {
  await intoFile(file, async () => {
    const { profile } = await withInspector(async (post) => {
      await post(enable);
      await post(begin);
      await new Promise((done) => setTimeout(done, ms).unref());
      return post(end);
    });
    fs.writeFileSync(file, JSON.stringify(profile));
  });
}

// intoFile makes a file before the work, to fail early, and leaves none behind
// when the work fails. A heap holds secrets, so only the owner may read the file, and
// it must be new, so that nobody's link is followed.
async function intoFile(file, write) {
  fs.closeSync(fs.openSync(file, 'wx', 0o600));
  try {
    await write();
  } catch (error) {
    quietly(() => fs.unlinkSync(file));
    throw error;
  }
}

// withInspector talks to V8 within the process; no port is opened.
async function withInspector(use) {
  const { Session } = require('inspector');
  const session = new Session();
  session.connect();
  const post = (method) =>
    new Promise((done, fail) => session.post(method, (error, result) => (error ? fail(error) : done(result))));
  try {
    return await use(post, session);
  } finally {
    session.disconnect();
  }
}
