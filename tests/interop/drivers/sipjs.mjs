// A ua-profile subscriber on SIP.js. It compares Event as a whole word, so it asks without parameters.
import { given, obey, say, sayNotify, url, watch } from './wire.mjs';
import { Subscriber, SubscriptionState, UserAgent } from 'sip.js';

const target = UserAgent.makeURI(`sip:${given.aor}`);
const ua = new UserAgent({
  uri: target,
  authorizationUsername: given.user,
  authorizationPassword: given.password,
  transportOptions: { server: url },
  logBuiltinEnabled: false,
  userAgentString: 'sip.js',
});

let leaving = false;
let last = null; // the body of the NOTIFY that ends it, which SIP.js answers without telling
let subscriber;

watch.received = (text) => {
  if (leaving && /^NOTIFY /.test(text) && /^Subscription-State: *terminated/im.test(text)) {
    last = text.slice(text.indexOf('\r\n\r\n') + 4);
  }
};
watch.sent = (text) => {
  if (last === null || !/^SIP\/2\.0 200 /.test(text)) return;
  sayNotify('terminated', last);
  say('ended');
  setTimeout(() => process.exit(0), 50);
};

function onNotify(notification) {
  const { body } = notification.request;
  const state = /^\w+/.exec(notification.request.getHeader('Subscription-State'))[0];
  notification.accept();
  sayNotify(state, body);
}

function onState(state) {
  if (state === SubscriptionState.Terminated && !leaving) say('failed', 'terminated');
}

obey({
  refresh: () => subscriber.subscribe(),
  unsubscribe: () => {
    leaving = true;
    subscriber.unsubscribe();
  },
});
await ua.start();
subscriber = new Subscriber(ua, target, 'ua-profile', {
  expires: Number(given.expires),
  extraHeaders: ['Accept: text/xml'],
});
subscriber.delegate = { onNotify };
subscriber.stateChange.addListener(onState);
subscriber.subscribe();
