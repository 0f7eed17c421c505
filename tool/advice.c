/*
 * advice.c - what is known of programs that start others.
 *
 * Each line was tried, or is what the program's manual says. A name that ends in
 * '*' stands for all that begin so: versions are often part of a name.
 */
#include "advice.h"

#include <stddef.h>
#include <string.h>

static const struct { const char *name, *text; } table[] = {
	{ "nginx", "one process: -g 'daemon off; master_process off;'" },
	{ "apache2", "one process: -X" },
	{ "httpd", "one process: -X" },
	{ "redis-server", "no snapshots: --save '' --appendonly no" },
	{ "valkey-server", "no snapshots: --save '' --appendonly no" },
	{ "haproxy", "in the foreground: -db" },
	{ "lighttpd", "in the foreground: -D" },
	{ "memcached", "in the foreground: leave out -d" },
	{ "dnsmasq", "in the foreground: --no-daemon (-d)" },
	{ "unbound", "in the foreground: -d" },
	{ "named", "in the foreground: -g, or -f" },
	{ "mosquitto", "in the foreground: leave out -d" },
	{ "postgres", "its server needs a process for each connection; only --single works" },
	{ "postmaster", "its server needs a process for each connection; only postgres --single works" },
	{ "php-fpm*", "it needs worker processes; php -S serves from one process" },
	{ "erl", "a script that starts others; its machine beam.smp needs erl_child_setup and cannot run" },
	{ "beam.smp", "it always starts erl_child_setup, so it cannot run" },
	{ "varnishd", "in one process: -F -d, without the compiler its VCL cannot be loaded" },
	{ "sshd", "it needs a process for each connection, so it cannot serve" },
	{ "vsftpd", "it needs a process for each connection, so it cannot serve" },
	{ "proftpd", "it needs a process for each connection, so it cannot serve" },
	{ "dovecot", "it is made of many processes and cannot run" },
	{ "master", "Postfix is made of many processes and cannot run" },
	{ "hitch", "it needs worker processes; stunnel and haproxy do the same in one" },
	{ "kamailio", "it needs worker processes and cannot run" },
	{ "erlexec", "its machine beam.smp needs erl_child_setup and cannot run" },
	{ "R", "its packages ask uname(1); R_PROFILE can name a file that puts another function in the place of base::system, see programs.md" },
	{ "gunicorn", "it needs worker processes; use a server with threads, such as waitress" },
	{ "uwsgi*", "one process: --workers 1 --no-master, without --master" },
	{ "node", "child_process and cluster cannot work; worker_threads can" },
	{ "java", "code made at run time: --allow jit; ProcessBuilder cannot work" },
	{ "python3*", "subprocess and multiprocessing cannot work; threads and asyncio can" },
	{ "bash", "only what is built in works: a shell that starts nothing" },
	{ "dash", "only what is built in works: a shell that starts nothing" },
	{ "sh", "only what is built in works: a shell that starts nothing" },
	{ "busybox", "name one applet that starts nothing, such as httpd -f" },
	{ "mariadbd", "start it directly, not by mariadbd-safe" },
	{ "mysqld", "start it directly, not by mysqld_safe" },
};

const char *advice_single_process(const char *program)
{
	const char *slash = strrchr(program, '/'), *name = slash ? slash + 1 : program;

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		size_t len = strlen(table[i].name);

		if (table[i].name[len - 1] == '*' ? !strncmp(table[i].name, name, len - 1) : !strcmp(table[i].name, name))
			return table[i].text;
	}
	return NULL;
}
