// A ua-profile subscriber on JsSIP. Its Event has no parameter but `id`, so it asks with one and without a profile-type.
import { given, obey, say, sayNotify, url } from './wire.mjs';
import JsSIP from 'jssip';

const target = `sip:${given.aor}`;
const ua = new JsSIP.UA({
  sockets: [new JsSIP.WebSocketInterface(url)],
  uri: target,
  authorization_user: given.user || null,
  password: given.password || null,
  register: false,
  user_agent: 'jssip',
});

let leaving = false;
let subscriber;

ua.on('connected', () => {
  if (subscriber) return;
  subscriber = ua.subscribe(target, 'ua-profile;id=7', 'text/xml', { expires: Number(given.expires), params: {} });
  subscriber.on('notify', (final, request, body) => sayNotify(final ? 'terminated' : 'active', body));
  subscriber.on('terminated', (code, reason) => {
    const ended = leaving && code === subscriber.C.FINAL_NOTIFY_RECEIVED;
    say(...(ended ? ['ended'] : ['failed', 'code', code, reason ?? '']));
    setTimeout(() => process.exit(0), 50);
  });
  subscriber.subscribe();
});
obey({
  refresh: () => subscriber.subscribe(),
  unsubscribe: () => {
    leaving = true;
    subscriber.terminate();
  },
});
ua.start();
