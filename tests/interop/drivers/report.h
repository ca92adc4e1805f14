/* What a subscriber in C is told (key=value arguments) and what it says (lines on standard output).
 *
 *   accepted EXPIRES        a 2xx to a SUBSCRIBE
 *   notify STATE HEXBODY    a NOTIFY, answered 200; "-" for no body
 *   ended                   it has unsubscribed, and has seen the last NOTIFY
 *   failed WHY              it is over, and not because it wanted that
 */
#ifndef REPORT_H
#define REPORT_H

#include <stdio.h>
#include <string.h>

static const char *argument(int argc, char *argv[], const char *name)
{
	size_t length = strlen(name);

	for (int i = 1; i < argc; i++)
		if (!strncmp(argv[i], name, length) && argv[i][length] == '=')
			return argv[i] + length + 1;
	return "";
}

static void report_notify(const char *state, const void *body, size_t length)
{
	const unsigned char *bytes = body;

	printf("notify %s ", state);
	for (size_t i = 0; i < length; i++)
		printf("%02x", bytes[i]);
	printf(length ? "\n" : "-\n");
}

#endif
