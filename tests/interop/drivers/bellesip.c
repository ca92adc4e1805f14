/* A ua-profile subscriber on belle-sip, the SIP stack of linphone. See report.h for what it is told and says. */
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>
#include <belle-sip/belle-sip.h>

#include "report.h"

typedef struct {
	belle_sip_stack_t *stack;
	belle_sip_provider_t *provider;
	belle_sip_uri_t *route;
	belle_sip_dialog_t *dialog;
	belle_sip_client_transaction_t *first; /* the one that was accepted, to make others like it */
	const char *user, *password;
	int expires;
	bool leaving, challenged;
} phone_t;

static void end(phone_t *self, const char *how)
{
	printf("%s\n", how);
	belle_sip_main_loop_quit(belle_sip_stack_get_main_loop(self->stack));
}

static void set_expires(belle_sip_request_t *request, int seconds)
{
	belle_sip_message_set_header(BELLE_SIP_MESSAGE(request), BELLE_SIP_HEADER(belle_sip_header_expires_create(seconds)));
}

static void send_it(phone_t *self, belle_sip_request_t *request)
{
	belle_sip_client_transaction_t *transaction = belle_sip_provider_create_client_transaction(self->provider, request);

	if (!self->dialog)
		(void)belle_sip_provider_create_dialog(self->provider, BELLE_SIP_TRANSACTION(transaction));
	if (self->dialog ? belle_sip_client_transaction_send_request(transaction)
			 : belle_sip_client_transaction_send_request_to(transaction, self->route))
		end(self, "failed to send");
}

static void again(phone_t *self, int seconds)
{
	belle_sip_request_t *before = belle_sip_transaction_get_request(BELLE_SIP_TRANSACTION(self->first));
	belle_sip_request_t *request = belle_sip_dialog_create_request_from(self->dialog, before);

	if (!request) {
		end(self, "failed to make a request in the dialog");
		return;
	}
	belle_sip_message_remove_header(BELLE_SIP_MESSAGE(request), "Authorization");
	/* with the nonce it has, as linphone does: a 401 within a dialog would end belle-sip's side of it */
	if (self->challenged)
		(void)belle_sip_provider_add_authorization(self->provider, request, NULL, NULL, NULL, NULL);
	set_expires(request, seconds);
	send_it(self, request);
}

static void on_response(void *context, const belle_sip_response_event_t *event)
{
	phone_t *self = context;
	belle_sip_client_transaction_t *transaction = belle_sip_response_event_get_client_transaction(event);
	belle_sip_response_t *response = belle_sip_response_event_get_response(event);
	int status = belle_sip_response_get_status_code(response);
	belle_sip_header_expires_t *expires = belle_sip_message_get_header_by_type(response, belle_sip_header_expires_t);
	belle_sip_request_t *request;

	if (!transaction || status < 200)
		return;
	if ((status == 401 || status == 407) && *self->user && !self->challenged) {
		self->challenged = true;
		request = belle_sip_client_transaction_create_authenticated_request(transaction, NULL, NULL);
		if (request)
			send_it(self, request);
		else
			end(self, "failed to answer a challenge");
	} else if (status >= 300) {
		printf("failed %d\n", status);
		end(self, "failed");
	} else {
		if (!self->dialog) {
			self->dialog = belle_sip_response_event_get_dialog(event);
			belle_sip_object_ref(self->dialog);
			self->first = transaction;
			belle_sip_object_ref(self->first);
		}
		printf("accepted %d\n", expires ? belle_sip_header_expires_get_expires(expires) : 0);
	}
}

static void on_request(void *context, const belle_sip_request_event_t *event)
{
	phone_t *self = context;
	belle_sip_request_t *request = belle_sip_request_event_get_request(event);
	belle_sip_server_transaction_t *transaction = belle_sip_request_event_get_server_transaction(event);
	belle_sip_message_t *message = BELLE_SIP_MESSAGE(request);
	belle_sip_header_subscription_state_t *header =
		belle_sip_message_get_header_by_type(message, belle_sip_header_subscription_state_t);
	/* belle-sip gives its dialog up at the 200 that ends the subscription: the last NOTIFY comes without one */
	bool known = header != NULL && (self->leaving || belle_sip_request_event_get_dialog(event) != NULL);
	const char *state = known ? belle_sip_header_subscription_state_get_state(header) : "";

	if (!transaction)
		transaction = belle_sip_provider_create_server_transaction(self->provider, request);
	belle_sip_server_transaction_send_response(transaction,
						   belle_sip_response_create_from_request(request, known ? 200 : 481));
	if (!known) {
		printf("failed: a request outside of the dialog\n");
		return;
	}
	report_notify(state, belle_sip_message_get_body(message), belle_sip_message_get_body_size(message));
	if (!strcmp(state, "terminated"))
		end(self, self->leaving ? "ended" : "failed terminated");
}

static void on_auth(void *context, belle_sip_auth_event_t *event)
{
	phone_t *self = context;

	belle_sip_auth_event_set_username(event, self->user);
	belle_sip_auth_event_set_passwd(event, self->password);
}

static void on_io_error(void *context, const belle_sip_io_error_event_t *event)
{
	(void)event;
	printf("failed: connection\n");
	(void)context;
}

static void on_timeout(void *context, const belle_sip_timeout_event_t *event)
{
	(void)event;
	end(context, "failed: no answer");
}

static int on_command(void *context, unsigned int events)
{
	phone_t *self = context;
	char line[80];
	(void)events;

	if (!fgets(line, sizeof(line), stdin)) {
		belle_sip_main_loop_quit(belle_sip_stack_get_main_loop(self->stack));
		return BELLE_SIP_STOP;
	}
	if (!strcmp(line, "refresh\n"))
		again(self, self->expires);
	else if (!strcmp(line, "unsubscribe\n")) {
		self->leaving = true;
		again(self, 0);
	}
	return BELLE_SIP_CONTINUE;
}

static belle_sip_listening_point_t *listening_point(phone_t *self, const char *transport, const char *ca)
{
	belle_sip_listening_point_t *point =
		belle_sip_stack_create_listening_point(self->stack, "127.0.0.1", BELLE_SIP_LISTENING_POINT_RANDOM_PORT, transport);
	belle_tls_crypto_config_t *crypto;

	if (point && !strcasecmp(transport, "tls")) {
		crypto = belle_tls_crypto_config_new();
		belle_tls_crypto_config_set_root_ca(crypto, ca);
		/* mbedTLS 2 knows no address in a certificate: the chain is verified, the name is not */
		belle_tls_crypto_config_set_verify_exceptions(crypto, BELLE_TLS_VERIFY_CN_MISMATCH);
		belle_sip_tls_listening_point_set_crypto_config(BELLE_SIP_TLS_LISTENING_POINT(point), crypto);
	}
	return point;
}

static belle_sip_request_t *subscribe(phone_t *self, const char *target)
{
	belle_sip_request_t *request = belle_sip_request_create(
		belle_sip_uri_parse(target), "SUBSCRIBE", belle_sip_provider_create_call_id(self->provider),
		belle_sip_header_cseq_create(20, "SUBSCRIBE"), belle_sip_header_from_create2(target, BELLE_SIP_RANDOM_TAG),
		belle_sip_header_to_create2(target, NULL), belle_sip_header_via_new(), 70);
	belle_sip_header_contact_t *contact = belle_sip_header_contact_new();
	belle_sip_message_t *message = BELLE_SIP_MESSAGE(request);

	belle_sip_header_contact_set_automatic(contact, 1);
	belle_sip_header_address_set_uri(BELLE_SIP_HEADER_ADDRESS(contact), belle_sip_uri_new());
	belle_sip_message_add_header(message, BELLE_SIP_HEADER(contact));
	belle_sip_message_add_header(message, belle_sip_header_create("Event", "ua-profile;profile-type=user"));
	belle_sip_message_add_header(message, belle_sip_header_create("Accept", "text/xml"));
	set_expires(request, self->expires);
	return request;
}

int main(int argc, char *argv[])
{
	const char *transport = argument(argc, argv, "transport");
	phone_t self = {.user = argument(argc, argv, "user"), .password = argument(argc, argv, "password"),
			.expires = atoi(argument(argc, argv, "expires"))};
	belle_sip_listener_callbacks_t callbacks = {.process_request_event = on_request, .process_response_event = on_response,
						    .process_io_error = on_io_error, .process_timeout = on_timeout,
						    .process_auth_requested = on_auth};
	belle_sip_listening_point_t *point;
	belle_sip_source_t *commands;
	char target[256], route[256];

	setvbuf(stdout, NULL, _IOLBF, 0);
	setvbuf(stdin, NULL, _IONBF, 0);
	snprintf(target, sizeof(target), "sip:%s", argument(argc, argv, "aor"));
	snprintf(route, sizeof(route), "sip:%s;transport=%s", argument(argc, argv, "server"), transport);
	if (getenv("INTEROP_TRACE"))
		belle_sip_set_log_level(BELLE_SIP_LOG_MESSAGE);
	self.stack = belle_sip_stack_new(NULL);
	point = listening_point(&self, transport, argument(argc, argv, "ca"));
	if (!point) {
		printf("failed to start\n");
		return 1;
	}
	self.provider = belle_sip_stack_create_provider(self.stack, point);
	self.route = belle_sip_uri_parse(route);
	belle_sip_provider_add_sip_listener(self.provider, belle_sip_listener_create_from_callbacks(&callbacks, &self));
	commands = belle_sip_socket_source_new(on_command, &self, STDIN_FILENO, BELLE_SIP_EVENT_READ, (unsigned int)-1);
	belle_sip_main_loop_add_source(belle_sip_stack_get_main_loop(self.stack), commands);
	send_it(&self, subscribe(&self, target));
	belle_sip_stack_main(self.stack);
	return 0;
}
