/* A ua-profile subscriber on libre, the SIP stack of baresip. See report.h for what it is told and says.
 *
 * libre refreshes a subscription by itself, after nine tenths of its time: there is no way to ask for it sooner. Its
 * events have no parameters but id, so it asks without a profile-type, as the users of Kamailio do. It accepts any
 * certificate.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <re.h>

#include "report.h"

static struct sip *sip;
static struct sipevent_sock *event_socket;
static struct sipsub *subscription;
static const char *user, *password;
static bool leaving, over;

static int credentials(char **username, char **secret, const char *realm, void *arg)
{
	(void)realm;
	(void)arg;
	return !*user ? EAUTH : str_dup(username, user) || str_dup(secret, password) ? ENOMEM : 0;
}

static void on_notify(struct sip *stack, const struct sip_msg *message, void *arg)
{
	const struct sip_hdr *header = sip_msg_hdr(message, SIP_HDR_SUBSCRIPTION_STATE);
	struct sipevent_substate state;
	(void)arg;

	if (!header || sipevent_substate_decode(&state, &header->val)) {
		(void)sip_reply(stack, message, 400, "Bad Subscription-State");
		printf("failed Subscription-State\n");
		return;
	}
	(void)sip_treply(NULL, stack, message, 200, "OK");
	report_notify(sipevent_substate_name(state.state), mbuf_buf(message->mb), mbuf_get_left(message->mb));
}

static void on_close(int error, const struct sip_msg *message, const struct sipevent_substate *state, void *arg)
{
	(void)state;
	(void)arg;
	printf("failed error %d status %u\n", error, message ? message->scode : 0);
	re_cancel();
}

/* libre says nothing of a 2xx to a SUBSCRIBE, nor of anything after the end was asked for: both are seen on the wire. */
static void on_message(bool sent, const struct sip_msg *message)
{
	const struct sip_hdr *header = sip_msg_hdr(message, SIP_HDR_SUBSCRIPTION_STATE);
	struct sipevent_substate state;

	if (!sent && !message->req && message->scode / 100 == 2 && !pl_strcmp(&message->cseq.met, "SUBSCRIBE"))
		printf("accepted %u\n", pl_u32(&message->expires));
	if (!leaving || pl_strcmp(&message->cseq.met, "NOTIFY"))
		return;
	if (!sent && message->req && header && !sipevent_substate_decode(&state, &header->val)) {
		report_notify(sipevent_substate_name(state.state), mbuf_buf(message->mb), mbuf_get_left(message->mb));
		over = over || state.state == SIPEVENT_TERMINATED;
	} else if (sent && over) {
		printf(message->scode / 100 == 2 ? "ended\n" : "failed last NOTIFY refused\n");
		re_cancel();
	}
}

static void on_packet(bool sent, enum sip_transp transport, const struct sa *from, const struct sa *to,
		      const uint8_t *packet, size_t length, void *arg)
{
	struct mbuf *buffer = mbuf_alloc(length);
	struct sip_msg *message = NULL;
	(void)transport, (void)from, (void)to, (void)arg;

	if (getenv("INTEROP_TRACE"))
		(void)re_fprintf(stderr, "%s\n%b\n", sent ? ">>>" : "<<<", packet, length);
	if (buffer && !mbuf_write_mem(buffer, packet, length)) {
		mbuf_set_pos(buffer, 0);
		if (!sip_msg_decode(&message, buffer))
			on_message(sent, message);
	}
	mem_deref(message);
	mem_deref(buffer);
}

static void on_command(int flags, void *arg)
{
	char line[80];
	(void)flags;
	(void)arg;

	if (!fgets(line, sizeof(line), stdin)) {
		re_cancel();
	} else if (!strcmp(line, "unsubscribe\n")) {
		leaving = true;
		subscription = mem_deref(subscription); /* its last reference sends Expires: 0 and waits */
	}
}

static int add_transport(const char *name, const char *ca, const struct sa *local)
{
	struct tls *tls = NULL;
	int error;

	if (!strcmp(name, "udp"))
		return sip_transp_add(sip, SIP_TRANSP_UDP, local);
	if (!strcmp(name, "tcp"))
		return sip_transp_add(sip, SIP_TRANSP_TCP, local);
	if (strcmp(name, "tls"))
		return sip_transp_add_websock(sip, strcmp(name, "ws") ? SIP_TRANSP_WSS : SIP_TRANSP_WS, local, false, ca);
	error = tls_alloc(&tls, TLS_METHOD_SSLV23, NULL, NULL);
	if (!error)
		error = tls_add_ca(tls, ca);
	return error ? error : sip_transp_add(sip, SIP_TRANSP_TLS, local, tls);
}

int main(int argc, char *argv[])
{
	const char *transport = argument(argc, argv, "transport"), *server = argument(argc, argv, "server");
	const char *aor = argument(argc, argv, "aor");
	char target[256], route[256];
	const char *routes[] = {route};
	struct dnsc *resolver = NULL;
	struct sa local, nameserver;
	int error;

	setvbuf(stdout, NULL, _IOLBF, 0);
	setvbuf(stdin, NULL, _IONBF, 0);
	user = argument(argc, argv, "user");
	password = argument(argc, argv, "password");
	(void)re_snprintf(target, sizeof(target), "sip:%s", aor);
	(void)re_snprintf(route, sizeof(route), "sip:%s;transport=%s", server, transport);
	error = libre_init();
	error |= sa_set_str(&local, "127.0.0.1", 0) | sa_set_str(&nameserver, "127.0.0.1", 9);
	error |= dnsc_alloc(&resolver, NULL, &nameserver, 1);
	error |= sip_alloc(&sip, resolver, 32, 32, 32, "libre", NULL, NULL);
	if (error)
		return 2;
	sip_set_trace_handler(sip, on_packet);
	error = add_transport(transport, argument(argc, argv, "ca"), &local);
	if (!error)
		error = sipevent_listen(&event_socket, sip, 32, 32, NULL, NULL);
	if (!error)
		error = sipevent_subscribe(&subscription, event_socket, target, NULL, target,
					   "ua-profile", NULL, atoi(argument(argc, argv, "expires")),
					   "phone", routes, 1, credentials, NULL, false, NULL, on_notify, on_close, NULL,
					   "Accept: text/xml\r\n");
	if (!error)
		error = fd_listen(STDIN_FILENO, FD_READ, on_command, NULL);
	if (error) {
		printf("failed %s\n", strerror(error));
		return 1;
	}
	(void)re_main(NULL);
	sip_close(sip, true);
	return 0;
}
