// What both stacks in JavaScript need and node has not: WebSockets, arguments (key=value), commands on standard input.
// What a driver says is in report.h.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';

export const given = Object.fromEntries(process.argv.slice(2).map((one) => one.split(/=(.*)/s, 2)));
export const url = `${given.transport}://${given.server}/`;

export const say = (...words) => process.stdout.write(`${words.join(' ')}\n`);

export const sayNotify = (state, body) => say('notify', state, Buffer.from(body ?? '', 'utf8').toString('hex') || '-');

// For a driver whose stack hides a message: called with each one.
export const watch = { received: () => {}, sent: () => {} };

// Neither stack tells of the 2xx to a refresh, so it is seen on the wire.
function look(data) {
  const text = typeof data === 'string' ? data : Buffer.from(data).toString('utf8');
  if (process.env.INTEROP_TRACE) process.stderr.write(`<<< ${typeof data}\n${text}\n`);
  if (/^SIP\/2\.0 2\d\d /.test(text) && /^CSeq: *\d+ SUBSCRIBE\r$/im.test(text)) {
    say('accepted', /^Expires: *(\d+)/im.exec(text)?.[1] ?? '0');
  }
  watch.received(text);
}

globalThis.WebSocket = class extends WebSocket {
  constructor(address, protocols) {
    super(address, protocols, given.transport === 'wss' ? { ca: readFileSync(given.ca) } : {});
    this.addEventListener('message', ({ data }) => look(data));
  }

  send(data, ...others) {
    if (process.env.INTEROP_TRACE) process.stderr.write(`>>>\n${data}\n`);
    super.send(data, ...others);
    watch.sent(String(data));
  }
};

// Calls the function named by each line; the end of standard input is the end.
export function obey(commands) {
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => commands[line]?.());
  lines.on('close', () => process.exit(0));
}
