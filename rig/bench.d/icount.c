// SPDX-License-Identifier: GPL-2.0
/*
 * In a guest that counts instructions (QEMU -icount shift=0: the time stamp
 * counter advances by one an instruction): what do machine checks cost, and
 * what do system calls that meet none?
 *
 * Prints "NAME first N median N min N max N samples N" a line. Runs on one CPU.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "mce_lib.h"

#define TRACING		"/sys/kernel/tracing/"
#define MAX_SAMPLES	200
#define PATH		"/tmpfs/bench"
#define FILE_LEN	65536

static const char *only = "";
static unsigned long long sample[MAX_SAMPLES];
static int nr_samples;

static inline unsigned long long now(void)
{
	unsigned int lo, hi;

	asm volatile("rdtsc" : "=a" (lo), "=d" (hi) : : "memory");
	return (unsigned long long)hi << 32 | lo;
}

static void fail(const char *what)
{
	printf("failed: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int by_size(const void *a, const void *b)
{
	const unsigned long long *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void add(unsigned long long n)
{
	if (nr_samples < MAX_SAMPLES)
		sample[nr_samples++] = n;
}

static void report(const char *name)
{
	unsigned long long first = sample[0];

	qsort(sample, nr_samples, sizeof(*sample), by_size);
	printf("%s first %llu median %llu min %llu max %llu samples %d\n", name,
	       first, sample[nr_samples / 2], sample[0],
	       sample[nr_samples - 1], nr_samples);
	nr_samples = 0;
}

static void put(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC | O_TRUNC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fail(file);
	close(fd);
}

static __u8 *fresh_page(void)
{
	/*
	 * New pages reach the lists of the memory management in batches, and
	 * memory_failure() has to work for one that is not there yet. One
	 * that a program has used for a while is.
	 */
	size_t len = 128 * MCE_PAGE;
	__u8 *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		fail("mmap");
	memset(p, 0x5a, len);
	return p + MCE_PAGE;
}

/* --- what a machine check costs ------------------------------------------ */

static sigjmp_buf env;
static volatile unsigned long long handler_at;

static void on_sigbus(int sig)
{
	handler_at = now();
	(void)sig;
	siglongjmp(env, 1);
}

/*
 * memory_failure() empties the page allocator's lists of this CPU, and how long
 * that takes depends on what was freed before. Let it do that for another page
 * just before it is timed.
 */
static void level(__u8 *other)
{
	struct mce_sigbus sb;

	if (mce_arm(other, NULL) || mce_load(other, NULL, &sb))
		fail("no SIGBUS");
}

static void user_load(int samples)
{
	struct sigaction act = { .sa_handler = on_sigbus };
	volatile unsigned long long start;
	int i;

	if (!strstr("mc.user_load", only))
		return;
	for (i = 0; i < samples; i++) {
		__u8 *p = fresh_page();

		if (mce_arm(p + 128, NULL))
			fail("arm");
		level(p + 32 * MCE_PAGE);
		sigaction(SIGBUS, &act, NULL);
		if (!sigsetjmp(env, 1)) {
			start = now();
			asm volatile("movb %0, %%al" : : "m" (p[128]) : "rax");
			fail("no SIGBUS");
		}
		add(handler_at - start);
	}
	report("mc.user_load.sigbus_handler");
	signal(SIGBUS, SIG_DFL);
}

/*
 * The kernel's own part of a system call ends where its tracepoint at exit
 * stands: before the pending work, which is what takes the page out of use. The
 * trace clock is the same counter.
 */
static void tracing(const char *call, bool on)
{
	char path[128];

	if (on) {
		put(TRACING "trace_clock", "x86-tsc");
		put(TRACING "trace", "");
	}
	snprintf(path, sizeof(path), TRACING "events/syscalls/sys_enter_%s/enable", call);
	put(path, on ? "1" : "0");
	snprintf(path, sizeof(path), TRACING "events/syscalls/sys_exit_%s/enable", call);
	put(path, on ? "1" : "0");
}

/* The stretch between the last call's two events. */
static unsigned long long traced(void)
{
	unsigned long long at = 0, enter = 0;
	char line[512], *p;
	FILE *f;

	f = fopen(TRACING "trace", "r");
	if (!f)
		fail("trace");
	while (fgets(line, sizeof(line), f)) {
		if (line[0] == '#')
			continue;
		/* "task-pid [cpu] flags time: event" */
		p = strchr(line, ']');
		if (!p || sscanf(p + 1, "%*s %llu:", &at) != 1)
			continue;
		if (strstr(p, " -> 0xfffffffffffffff2"))
			break;
		if (!strstr(p, " -> "))
			enter = at;
		at = 0;
	}
	fclose(f);
	if (!enter || at <= enter)
		fail("no events in the trace");
	return at - enter;
}

static char *buffer;
static int pipes[2];

static long write_32(__u8 *bad)
{
	return write(pipes[1], bad, 32);
}

static long write_page(__u8 *bad)
{
	return write(pipes[1], bad, MCE_PAGE);
}

static long writev_iovec(__u8 *bad)
{
	return writev(pipes[1], (struct iovec *)bad, 2);
}

static long nanosleep_timespec(__u8 *bad)
{
	return syscall(SYS_nanosleep, bad, NULL);
}

static long futex_wait(__u8 *bad)
{
	static const struct timespec soon = { .tv_nsec = 1000 };

	return syscall(SYS_futex, bad, FUTEX_WAIT_PRIVATE, 0x5a5a5a5a, &soon, NULL, 0);
}

static void kernel_load(const char *name, const char *call, long (*fn)(__u8 *bad), int samples)
{
	unsigned long long whole[MAX_SAMPLES], start, end;
	struct mce_watch w;
	long mcs = 0;
	int err;
	char title[128];
	long ret;
	int i;

	snprintf(title, sizeof(title), "mc.%s", name);
	if (!strstr(title, only))
		return;
	for (i = 0; i < samples; i++) {
		__u8 *p = fresh_page();

		if (mce_arm(p, NULL))
			fail("arm");
		/* The pipe keeps the page that this needs. */
		if (write(pipes[1], p + 8 * MCE_PAGE, MCE_PAGE) != MCE_PAGE ||
		    read(pipes[0], buffer, MCE_PAGE) != MCE_PAGE)
			fail("pipe");
		level(p + 32 * MCE_PAGE);
		mce_watch_start(&w);
		tracing(call, true);
		start = now();
		ret = fn(p);
		end = now();
		err = errno;
		tracing(call, false);
		mce_watch_end(&w, 1);
		mcs += w.mcs;
		if (ret >= 0 || err != EFAULT)
			fail(name);
		whole[i] = end - start;
		add(traced());
	}
	printf("mc.%s.machine_checks %ld in %d\n", name, mcs, samples);
	snprintf(title, sizeof(title), "mc.%s.call_fails", name);
	report(title);
	for (i = 0; i < samples; i++)
		add(whole[i]);
	snprintf(title, sizeof(title), "mc.%s.back_in_user_mode", name);
	report(title);
}

/* --- what it costs without ------------------------------------------------- */

static int file, file_out, file_xfs, file_tmpfs, sockets[2], datagrams[2];

static void do_getpid(void)
{
	syscall(SYS_getpid);
}

static void do_read_64k(void)
{
	if (pread(file, buffer, FILE_LEN, 0) != FILE_LEN)
		fail("pread");
}

static void do_read_4k(void)
{
	if (pread(file, buffer, 4096, 4096) != 4096)
		fail("pread");
}

static void do_read_1(void)
{
	if (pread(file, buffer, 1, 4096) != 1)
		fail("pread");
}

static void do_write_64k(void)
{
	if (pwrite(file_out, buffer, FILE_LEN, 0) != FILE_LEN)
		fail("pwrite");
}

static void do_write_4k(void)
{
	if (pwrite(file_out, buffer, 4096, 4096) != 4096)
		fail("pwrite");
}

static void do_write_1(void)
{
	if (pwrite(file_out, buffer, 1, 4096) != 1)
		fail("pwrite");
}

static void do_xfs_write(void)
{
	if (pwrite(file_xfs, buffer, 4096, 4096) != 4096)
		fail("pwrite, xfs");
}

static void do_tmpfs_read(void)
{
	if (pread(file_tmpfs, buffer, 4096, 4096) != 4096)
		fail("pread, tmpfs");
}

static void do_tmpfs_write(void)
{
	if (pwrite(file_tmpfs, buffer, 4096, 4096) != 4096)
		fail("pwrite, tmpfs");
}

/* From one page cache to another; one byte, as memcpy() counts in words. */
static void do_sendfile(void)
{
	off_t from = 4096;

	if (lseek(file_tmpfs, 8192, SEEK_SET) != 8192 ||
	    sendfile(file_tmpfs, file, &from, 1) != 1)
		fail("sendfile");
}

static void do_udp(void)
{
	if (send(datagrams[1], buffer, 100, 0) != 100 || recv(datagrams[0], buffer, 100, 0) != 100)
		fail("datagram");
}

static void do_pipe(void)
{
	if (write(pipes[1], buffer, 1) != 1 || read(pipes[0], buffer, 1) != 1)
		fail("pipe");
}

static void do_pipe_4k(void)
{
	if (write(pipes[1], buffer, 4096) != 4096 || read(pipes[0], buffer, 4096) != 4096)
		fail("pipe");
}

static void do_socket(void)
{
	if (send(sockets[1], buffer, 100, 0) != 100 || recv(sockets[0], buffer, 100, 0) != 100)
		fail("socket");
}

static void do_stat(void)
{
	struct stat st;

	if (stat(PATH, &st))
		fail("stat");
}

static void do_futex_wake(void)
{
	syscall(SYS_futex, buffer, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void do_futex_wait(void)
{
	/* Reads the word, finds another value, returns. */
	syscall(SYS_futex, buffer, FUTEX_WAIT_PRIVATE, 12345, NULL, NULL, 0);
}

static void do_clock(void)
{
	struct timespec ts;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
}

static void do_fault(void)
{
	*(volatile char *)buffer = 1;
	madvise(buffer, 4096, MADV_DONTNEED);
}

static void do_cow(void)
{
	/* A page of a private file mapping: the kernel copies it. */
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);

	if (p == MAP_FAILED)
		fail("mmap");
	p[0] = 1;
	munmap(p, 4096);
}

static void no_error(const char *name, void (*fn)(void), int samples)
{
	unsigned long long start;
	char title[128];
	int i;

	snprintf(title, sizeof(title), "ok.%s", name);
	if (!strstr(title, only))
		return;
	for (i = 0; i < 10; i++)
		fn();
	for (i = 0; i < samples; i++) {
		start = now();
		fn();
		add(now() - start);
	}
	report(title);
}

/* Two UDP sockets on the loopback network, the second connected to the first. */
static void datagram_pair(void)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(at);

	datagrams[0] = socket(AF_INET, SOCK_DGRAM, 0);
	datagrams[1] = socket(AF_INET, SOCK_DGRAM, 0);
	if (bind(datagrams[0], (struct sockaddr *)&at, len) ||
	    getsockname(datagrams[0], (struct sockaddr *)&at, &len) ||
	    connect(datagrams[1], (struct sockaddr *)&at, len))
		fail("datagrams");
}

int main(int argc, char **argv)
{
	const char *why = mce_missing();
	int samples = argc > 2 ? atoi(argv[2]) : 9;

	if (argc > 1)
		only = argv[1];
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (samples < 1 || samples > MAX_SAMPLES)
		samples = 9;
	if (why) {
		printf("failed: %s\n", why);
		return 1;
	}
	if (pipe2(pipes, O_NONBLOCK) || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets))
		fail("pipe");
	buffer = mmap(NULL, FILE_LEN, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	file = open(PATH, O_RDWR | O_CREAT | O_TRUNC, 0600);
	file_out = open("/ext4/bench", O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (buffer == MAP_FAILED || file < 0 || file_out < 0)
		fail("setup");
	memset(buffer, 1, FILE_LEN);
	close(file);
	file = open("/ext4/bench-in", O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (file < 0 || write(file, buffer, FILE_LEN) != FILE_LEN || fsync(file))
		fail("setup");

	file_tmpfs = open("/tmpfs/bench-in", O_RDWR | O_CREAT | O_TRUNC, 0600);
	file_xfs = open("/xfs/bench", O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (file_tmpfs < 0 || write(file_tmpfs, buffer, FILE_LEN) != FILE_LEN ||
	    file_xfs < 0 || write(file_xfs, buffer, FILE_LEN) != FILE_LEN)
		fail("setup");
	datagram_pair();

	no_error("getpid", do_getpid, MAX_SAMPLES);
	no_error("clock_gettime", do_clock, MAX_SAMPLES);
	no_error("futex_wake", do_futex_wake, MAX_SAMPLES);
	no_error("futex_wait_other", do_futex_wait, MAX_SAMPLES);
	no_error("stat", do_stat, MAX_SAMPLES);
	no_error("read_1", do_read_1, MAX_SAMPLES);
	no_error("read_4k", do_read_4k, MAX_SAMPLES);
	no_error("read_64k", do_read_64k, MAX_SAMPLES);
	no_error("write_1", do_write_1, MAX_SAMPLES);
	no_error("write_4k", do_write_4k, MAX_SAMPLES);
	no_error("write_64k", do_write_64k, MAX_SAMPLES);
	no_error("xfs_write_4k", do_xfs_write, MAX_SAMPLES);
	no_error("tmpfs_read_4k", do_tmpfs_read, MAX_SAMPLES);
	no_error("tmpfs_write_4k", do_tmpfs_write, MAX_SAMPLES);
	no_error("sendfile_1", do_sendfile, MAX_SAMPLES);
	no_error("pipe_1", do_pipe, MAX_SAMPLES);
	no_error("pipe_4k", do_pipe_4k, MAX_SAMPLES);
	no_error("unix_100", do_socket, MAX_SAMPLES);
	no_error("udp_100", do_udp, MAX_SAMPLES);
	no_error("anon_fault", do_fault, MAX_SAMPLES);
	no_error("cow_fault", do_cow, MAX_SAMPLES);
	user_load(samples);
	kernel_load("nanosleep", "nanosleep", nanosleep_timespec, samples);
	kernel_load("futex_wait", "futex", futex_wait, samples);
	kernel_load("write_32", "write", write_32, samples);
	kernel_load("write_4096", "write", write_page, samples);
	kernel_load("writev_iovec", "writev", writev_iovec, samples);
	printf("done\n");
	return 0;
}
