/* A ua-profile subscriber on sofia-sip's user agent (nua). See report.h for what it is told and says. */
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct context context;
#define NUA_MAGIC_T context
#define SU_ROOT_MAGIC_T context
#define SU_WAKEUP_ARG_T context

#include <sofia-sip/nua.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/su_log.h>
#include <sofia-sip/tport_tag.h>

#include "report.h"

struct context {
	su_root_t *root;
	nua_t *nua;
	nua_handle_t *subscription;
	const char *user, *password;
	bool accepted, leaving;
};

/* NUTAG_AUTH wants scheme:"realm":user:password; the realm is whichever challenges. */
static void authenticate(context *self, const sip_t *sip)
{
	const msg_auth_t *challenge = sip->sip_www_authenticate ? sip->sip_www_authenticate : sip->sip_proxy_authenticate;
	const char *realm = challenge ? msg_params_find(challenge->au_params, "realm=") : NULL;
	char line[512];

	if (!realm || !*self->user) {
		printf("failed challenged\n");
		nua_shutdown(self->nua);
		return;
	}
	snprintf(line, sizeof(line), "Digest:%s:%s:%s", realm, self->user, self->password);
	nua_authenticate(self->subscription, NUTAG_AUTH(line), TAG_END());
}

static void answered(context *self, int status, const char *phrase, const sip_t *sip)
{
	if ((status == 401 || status == 407) && sip)
		authenticate(self, sip);
	else if (status >= 300) {
		printf("failed %d %s\n", status, phrase);
		nua_shutdown(self->nua);
	} else if (status >= 200 && sip) {
		self->accepted = true;
		printf("accepted %lu\n", sip->sip_expires ? sip->sip_expires->ex_delta : 0);
	}
}

static void on_event(nua_event_t event, int status, char const *phrase, nua_t *nua, context *self, nua_handle_t *handle,
		     nua_hmagic_t *magic, sip_t const *sip, tagi_t tags[])
{
	(void)nua, (void)handle, (void)magic, (void)tags;
	if (event == nua_r_subscribe || event == nua_r_unsubscribe)
		answered(self, status, phrase, sip);
	else if (event == nua_i_notify && sip && sip->sip_subscription_state) {
		const char *state = sip->sip_subscription_state->ss_substate;
		const sip_payload_t *body = sip->sip_payload;

		report_notify(state, body ? body->pl_data : "", body ? body->pl_len : 0);
		if (!strcmp(state, "terminated")) {
			printf(self->leaving ? "ended\n" : "failed terminated\n");
			nua_shutdown(self->nua);
		}
	} else if (event == nua_r_shutdown && status >= 200)
		su_root_break(self->root);
}

static int on_command(context *self, su_wait_t *wait, su_wakeup_arg_t *argument)
{
	char line[80];
	(void)wait;
	(void)argument;

	if (!fgets(line, sizeof(line), stdin))
		su_root_break(self->root);
	else if (!strcmp(line, "refresh\n"))
		nua_subscribe(self->subscription, TAG_END());
	else if (!strcmp(line, "unsubscribe\n")) {
		self->leaving = true;
		nua_unsubscribe(self->subscription, TAG_END());
	}
	return 0;
}

int main(int argc, char *argv[])
{
	const char *transport = argument(argc, argv, "transport"), *server = argument(argc, argv, "server");
	context self = {.user = argument(argc, argv, "user"), .password = argument(argc, argv, "password")};
	bool secure = !strcmp(transport, "tls");
	char target[256], route[256], local[80];
	su_wait_t wait[1];

	setvbuf(stdout, NULL, _IOLBF, 0);
	setvbuf(stdin, NULL, _IONBF, 0);
	snprintf(target, sizeof(target), "sip:%s", argument(argc, argv, "aor"));
	snprintf(route, sizeof(route), "<sip:%s;transport=%s;lr>", server, transport);
	snprintf(local, sizeof(local), secure ? "sips:127.0.0.1:*" : "sip:127.0.0.1:*;transport=%s", transport);
	su_init();
	self.root = su_root_create(&self);
	self.nua = nua_create(self.root, on_event, &self, NUTAG_URL(local), NUTAG_MEDIA_ENABLE(0),
			      TAG_IF(secure, NUTAG_CERTIFICATE_DIR(argument(argc, argv, "certificates"))),
			      TAG_IF(secure, TPTAG_TLS_VERIFY_POLICY(TPTLS_VERIFY_OUT)),
			      TAG_IF(getenv("INTEROP_TRACE"), TPTAG_LOG(1)), SIPTAG_USER_AGENT_STR("sofia"),
			      SIPTAG_FROM_STR(target), TAG_END());
	if (!self.nua || su_wait_create(wait, STDIN_FILENO, SU_WAIT_IN) ||
	    su_root_register(self.root, wait, on_command, NULL, 0) < 0) {
		printf("failed to start\n");
		return 1;
	}
	self.subscription = nua_handle(self.nua, NULL, SIPTAG_TO_STR(target), NUTAG_URL(target), NUTAG_INITIAL_ROUTE_STR(route),
				       TAG_END());
	nua_subscribe(self.subscription, SIPTAG_EVENT_STR("ua-profile;profile-type=user"), SIPTAG_ACCEPT_STR("text/xml"),
		      SIPTAG_EXPIRES_STR(argument(argc, argv, "expires")), TAG_END());
	su_root_run(self.root);
	return 0;
}
