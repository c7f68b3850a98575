// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's first process: makes the places that programs expect, runs one
 * program, and says how it ended.
 *
 * /rig/run tells what to run: "key value" lines, then "--", then the program
 * and its arguments, each ended by a zero byte. Output, errors and the report
 * leave through virtio ports named out, err and ctl. A write to such a port
 * returns when the host has it, so that nothing is lost when the next thing the
 * program does is to bring the machine down.
 *
 * The report on ctl is a line each: "start", and "exit N" or "signal N".
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARRAY_SIZE(x)	(sizeof(x) / sizeof((x)[0]))
#define MAX_ARGS	1024

static const struct place {
	const char *what, *where, *type, *options;
	unsigned long flags;
} places[] = {
	{ "proc",	"/proc",			"proc" },
	{ "sysfs",	"/sys",				"sysfs" },
	{ "devtmpfs",	"/dev",				"devtmpfs" },
	{ "devpts",	"/dev/pts",			"devpts", "mode=620,ptmxmode=666" },
	{ "tmpfs",	"/dev/shm",			"tmpfs", "mode=1777" },
	{ "mqueue",	"/dev/mqueue",			"mqueue" },
	{ "debugfs",	"/sys/kernel/debug",		"debugfs" },
	{ "tracefs",	"/sys/kernel/tracing",		"tracefs" },
	{ "bpf",	"/sys/fs/bpf",			"bpf" },
	{ "cgroup2",	"/sys/fs/cgroup",		"cgroup2" },
	{ "tmpfs",	"/tmp",				"tmpfs", "mode=1777" },
	{ "tmpfs",	"/run",				"tmpfs", "mode=755" },
	{ "tmpfs",	"/tmpfs",			"tmpfs", "mode=1777,huge=advise" },
	{ "hugetlbfs",	"/huge",			"hugetlbfs", "mode=1777" },
	{ "/dev/vda",	"/ext4",			"ext4" },
};

static int console = -1;

static void say(const char *fmt, ...)
{
	char text[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(text))
		n = sizeof(text) - 1;
	if (write(console, text, n) < 0)
		return;
}

static int put(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int bad = fd < 0 || write(fd, value, strlen(value)) < 0;

	if (fd >= 0)
		close(fd);
	return bad ? -1 : 0;
}

static void mount_place(const struct place *p)
{
	mkdir(p->where, 0755);
	if (mount(p->what, p->where, p->type, p->flags, p->options) && errno != EBUSY)
		say("init: cannot mount %s: %s\n", p->where, strerror(errno));
}

static void loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr))
		say("init: no loopback network: %s\n", strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* Ports are numbered as the machine pleases; sysfs has their names. */
static int open_port(const char *name, int flags)
{
	char path[300], got[64];
	struct dirent *d;
	DIR *dir;
	int fd, n, port = -1;

	dir = opendir("/sys/class/virtio-ports");
	while (dir && port < 0 && (d = readdir(dir))) {
		snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", d->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		n = read(fd, got, sizeof(got) - 1);
		close(fd);
		if (n <= 0)
			continue;
		got[n] = 0;
		got[strcspn(got, "\n")] = 0;
		if (strcmp(got, name))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", d->d_name);
		port = open(path, flags | O_CLOEXEC);
	}
	if (dir)
		closedir(dir);
	return port;
}

/*
 * Port names arrive in a message after the device, so wait a little; a host that
 * is busy needs longer.
 */
static int wait_port(const char *name, int flags)
{
	int i, port;

	for (i = 0; i < 3000; i++) {
		port = open_port(name, flags);
		if (port >= 0)
			return port;
		usleep(10000);
	}
	say("init: no port %s\n", name);
	return -1;
}

static void report(int ctl, const char *what, int n)
{
	char line[64];
	int len = snprintf(line, sizeof(line), "%s %d\n", what, n);

	if (write(ctl, line, len) != len)
		say("init: %s", line);
}

static void child(char **argv, int out, int err, const char *tty, const char *in)
{
	static const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	int fd;

	setsid();
	if (tty) {
		fd = open(tty, O_RDWR);
		ioctl(fd, TIOCSCTTY, 0);
		out = fd;
		err = fd;
	} else {
		fd = open(in, O_RDONLY);
	}
	dup2(fd, 0);
	dup2(out, 1);
	dup2(err, 2);
	if (fd > 2)
		close(fd);
	setrlimit(RLIMIT_CORE, &all);
	setrlimit(RLIMIT_MEMLOCK, &all);
	signal(SIGPIPE, SIG_DFL);
	execvp(argv[0], argv);
	dprintf(2, "cannot run %s in the guest: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* Soon the host ends the machine: leave in its log who waits for what. */
static void out_of_patience(int sig)
{
	(void)sig;
	put("/proc/sysrq-trigger", "w");
	put("/proc/sysrq-trigger", "l");
}

static void finish(void)
{
	/* The host ends the machine; this is for when it does not. */
	sleep(5);
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

int main(void)
{
	static char plan[1 << 17];
	char *argv[MAX_ARGS + 1], *p, *end, *line, *tty = NULL, *in = "/dev/null";
	int ctl, out = -1, err = -1, fd, n, status, argc = 0, patience = 0;
	size_t i;
	pid_t pid, got;

	console = open("/dev/console", O_WRONLY | O_CLOEXEC);
	for (i = 0; i < ARRAY_SIZE(places); i++)
		mount_place(&places[i]);

	fd = open("/rig/run", O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, plan, sizeof(plan) - 1);
	if (n < 0) {
		say("init: no plan in /rig/run\n");
		finish();
	}
	close(fd);
	p = plan;
	end = plan + n;
	while (p < end && (line = strsep(&p, "\n")) && strcmp(line, "--")) {
		char *value = strchr(line, ' ');

		if (!value)
			continue;
		*value++ = 0;
		if (!strcmp(line, "hugepages") && put("/proc/sys/vm/nr_hugepages", value))
			say("init: no huge pages reserved\n");
		else if (!strcmp(line, "patience"))
			patience = atoi(value);
		else if (!strcmp(line, "tty"))
			tty = value;
		else if (!strcmp(line, "stdin"))
			in = value;
		else if (!strcmp(line, "carry"))
			mount_place(&(struct place){ value, "/carry", "ext4" });
	}
	while (p && p < end && argc < MAX_ARGS) {
		argv[argc++] = p;
		p += strlen(p) + 1;
	}
	argv[argc] = NULL;

	sethostname("poison-pc", 9);
	loopback_up();
	put("/sys/kernel/mm/transparent_hugepage/enabled", "madvise");
	put("/sys/kernel/mm/transparent_hugepage/shmem_enabled", "advise");
	mkdir("/root", 0700);
	if (chdir("/root"))
		say("init: no /root\n");
	setenv("PATH", "/bin:/sbin:/usr/bin:/usr/sbin:/carry:/carry/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("USER", "root", 1);
	setenv("LANG", "C", 1);
	setenv("TERM", tty ? "linux" : "dumb", 1);

	ctl = wait_port("ctl", O_WRONLY);
	if (!tty) {
		out = wait_port("out", O_WRONLY);
		err = wait_port("err", O_WRONLY);
	}
	if (ctl < 0 || (!tty && (out < 0 || err < 0)))
		finish();

	report(ctl, "start", 0);
	pid = fork();
	if (!pid)
		child(argv, out, err, tty, in);
	close(out);
	close(err);
	signal(SIGALRM, out_of_patience);
	alarm(patience);
	do {
		got = wait(&status);
	} while (got != pid && (got >= 0 || errno == EINTR));
	if (WIFSIGNALED(status))
		report(ctl, "signal", WTERMSIG(status));
	else
		report(ctl, "exit", WEXITSTATUS(status));
	finish();
	return 0;
}
