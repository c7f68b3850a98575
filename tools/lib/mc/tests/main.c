// SPDX-License-Identifier: GPL-2.0
/* Run the tests, each in a process of its own, and say what became of them (TAP). */
#include <errno.h>
#include <fnmatch.h>
#include <sys/resource.h>

#include "test.h"

struct test *tests, **tests_end = &tests;

static bool run(const struct test *t)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		alarm(60);
		t->fn();
		fflush(stdout);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	if (t->signal ? WIFSIGNALED(status) && WTERMSIG(status) == t->signal :
	    WIFEXITED(status) && !WEXITSTATUS(status))
		return true;
	if (WIFSIGNALED(status))
		printf("# ended by signal %d\n", WTERMSIG(status));
	else
		printf("# ended with status %d\n", WEXITSTATUS(status));
	return false;
}

/* With an argument: only tests whose name matches it. */
int main(int argc, char **argv)
{
	struct rlimit none = { 0, 0 };
	int n = 0, failed = 0;
	struct test *t;

	setvbuf(stdout, NULL, _IOLBF, 0);
	setrlimit(RLIMIT_CORE, &none);
	for (t = tests; t; t = t->next)
		n += argc < 2 || !fnmatch(argv[1], t->name, 0);
	printf("TAP version 13\n1..%d\n", n);
	n = 0;
	for (t = tests; t; t = t->next) {
		bool ok;

		if (argc >= 2 && fnmatch(argv[1], t->name, 0))
			continue;
		ok = run(t);
		failed += !ok;
		printf("%sok %d %s\n", ok ? "" : "not ", ++n, t->name);
	}
	return failed != 0;
}
