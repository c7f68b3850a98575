// SPDX-License-Identifier: GPL-2.0
/*
 * The arguments of system calls: structures, strings and arrays that the
 * kernel loads from a program's memory before it does anything with them.
 *
 * Each site is tried with the argument in memory that is lost: -EFAULT, one
 * machine check, no signal before the program touches the line itself. And
 * with the argument in a clean file mapping, as every string constant of every
 * program is: the page is read again, and the call does what it should.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <linux/aio_abi.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/fiemap.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "mce_consumed.h"

#define SEED	0x2004
#define NPAGES	4

/* Where the argument starts: a line's start, not the page's. */
#define START	(MCE_PAGE + 2 * MCE_LINE)

/* What a site may need besides its argument. */
struct ctx {
	char dir[PATH_MAX - 64];	/* on ext4 */
	char path[PATH_MAX];
	int fd;
	int fd2;
	char buf[4096];
};

FIXTURE(arg)
{
	struct ctx ctx;
	char path[PATH_MAX];
	__u8 *anon;
	__u8 *map;
	int fd;
};

FIXTURE_VARIANT(arg)
{
	const char *what;
	size_t at;	/* an offset in the argument, its line goes bad */
	size_t shift;	/* the argument starts that much behind START */
	long good;	/* what the call returns otherwise; descriptors as 0 */
	long lost;	/* where an error is not due: what it returns instead */
	bool tail;	/* the bad line is behind what the call needs */
	bool low;	/* a 32-bit call, needs the argument below 4 GiB */
	void (*prep)(void *arg, struct ctx *ctx);
	long (*call)(void *arg, struct ctx *ctx);
};

static long sys_result(long ret)
{
	return ret < 0 ? -errno : ret;
}

static long fd_result(long fd)
{
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* All that a site is: what to put into memory, and what to call with it. */
#define SITE(name, ...)							\
	FIXTURE_VARIANT_ADD(arg, name)					\
	{								\
		.what = #name, .prep = prep_##name, .call = call_##name, \
		__VA_ARGS__						\
	}

#define PREP(name)	static void prep_##name(void *arg, struct ctx *ctx)
#define CALL(name)	static long call_##name(void *arg, struct ctx *ctx)

static void put_string(void *arg, const char *s)
{
	memcpy(arg, s, strlen(s) + 1);
}

/* "/./././...dev/null", @len bytes without the NUL. */
static void put_long_path(char *arg, size_t len)
{
	size_t dots = len - strlen("/dev/null"), i;

	for (i = 0; i < dots; i++)
		arg[i] = i % 2 ? '.' : '/';
	if (dots % 2)
		arg[dots - 1] = '/';
	memcpy(arg + dots, "/dev/null", strlen("/dev/null") + 1);
}

/* --- vectors, poll, time --- */

static void put_iovec(struct iovec *iov, int n, struct ctx *ctx)
{
	int i;

	for (i = 0; i < n; i++) {
		iov[i].iov_base = ctx->buf;
		iov[i].iov_len = 8;
	}
}

PREP(iovec_one) { put_iovec(arg, 1, ctx); }
CALL(iovec_one) { return sys_result(writev(ctx->fd, arg, 1)); }
SITE(iovec_one, .good = 8);

PREP(iovec_nine) { put_iovec(arg, 9, ctx); }
CALL(iovec_nine) { return sys_result(writev(ctx->fd, arg, 9)); }
SITE(iovec_nine, .good = 72, .at = 4 * 16);

PREP(iovec_many) { put_iovec(arg, 100, ctx); }
CALL(iovec_many) { return sys_result(writev(ctx->fd, arg, 100)); }
SITE(iovec_many, .good = 800, .at = 99 * 16);

static void put_pollfds(struct pollfd *p, int n)
{
	int i;

	for (i = 0; i < n; i++)
		p[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
}

PREP(pollfd) { (void)ctx; put_pollfds(arg, 4); }
CALL(pollfd) { (void)ctx; return sys_result(syscall(SYS_poll, arg, 4, 0)); }
SITE(pollfd);

PREP(pollfd_many) { (void)ctx; put_pollfds(arg, 200); }
CALL(pollfd_many) { (void)ctx; return sys_result(syscall(SYS_poll, arg, 200, 0)); }
SITE(pollfd_many, .at = 150 * 8);

PREP(ppoll_timespec) { (void)ctx; memset(arg, 0, 16); }
CALL(ppoll_timespec)
{
	(void)ctx;
	return sys_result(syscall(SYS_ppoll, NULL, 0, arg, NULL, 8));
}

SITE(ppoll_timespec);

PREP(ppoll_sigmask) { (void)ctx; memset(arg, 0, 8); }
CALL(ppoll_sigmask)
{
	struct timespec ts = { 0 };

	(void)ctx;
	return sys_result(syscall(SYS_ppoll, NULL, 0, &ts, arg, 8));
}

SITE(ppoll_sigmask);

PREP(select_fdset) { (void)ctx; memset(arg, 0, 128); }
CALL(select_fdset)
{
	struct timespec ts = { 0 };

	(void)ctx;
	return sys_result(syscall(SYS_pselect6, 256, arg, NULL, NULL, &ts, NULL));
}

SITE(select_fdset);

PREP(pselect_sig) { (void)ctx; memset(arg, 0, 16); }
CALL(pselect_sig)
{
	struct timespec ts = { 0 };

	(void)ctx;
	return sys_result(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &ts, arg));
}

SITE(pselect_sig);

PREP(nanosleep) { (void)ctx; memset(arg, 0, 16); }
CALL(nanosleep) { (void)ctx; return sys_result(syscall(SYS_nanosleep, arg, NULL)); }
SITE(nanosleep);

PREP(utimensat) { (void)ctx; memset(arg, 0, 32); }
CALL(utimensat)
{
	return sys_result(syscall(SYS_utimensat, AT_FDCWD, ctx->path, arg, 0));
}

SITE(utimensat);

PREP(timerfd) { (void)ctx; memset(arg, 0, 32); }
CALL(timerfd)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	long ret = sys_result(syscall(SYS_timerfd_settime, fd, 0, arg, NULL));

	(void)ctx;
	close(fd);
	return ret;
}

SITE(timerfd);

PREP(setitimer) { (void)ctx; memset(arg, 0, 32); }
CALL(setitimer) { (void)ctx; return sys_result(syscall(SYS_setitimer, ITIMER_VIRTUAL, arg, NULL)); }
SITE(setitimer);

/* --- strings --- */

PREP(path) { (void)ctx; put_string(arg, "/dev/null"); }
CALL(path) { (void)ctx; return fd_result(syscall(SYS_openat, AT_FDCWD, arg, O_RDONLY, 0)); }
SITE(path);

/* Not aligned to a word: strncpy_from_user() starts byte by byte. */
PREP(path_unaligned) { (void)ctx; put_string(arg, "/dev/null"); }
CALL(path_unaligned)
{
	(void)ctx;
	return fd_result(syscall(SYS_openat, AT_FDCWD, arg, O_RDONLY, 0));
}

SITE(path_unaligned, .shift = 3);

/* More than the part of PATH_MAX that is embedded in struct filename. */
PREP(path_long) { (void)ctx; put_long_path(arg, 3800); }
CALL(path_long) { (void)ctx; return fd_result(syscall(SYS_openat, AT_FDCWD, arg, O_RDONLY, 0)); }
SITE(path_long, .at = 2000);

PREP(path_long_end) { (void)ctx; put_long_path(arg, 4095); }
CALL(path_long_end)
{
	(void)ctx;
	return fd_result(syscall(SYS_openat, AT_FDCWD, arg, O_RDONLY, 0));
}

SITE(path_long_end, .at = 4095);

PREP(path_embedded_end) { (void)ctx; put_long_path(arg, 1000); }
CALL(path_embedded_end)
{
	(void)ctx;
	return sys_result(syscall(SYS_faccessat, AT_FDCWD, arg, R_OK));
}

SITE(path_embedded_end, .at = 1000);

PREP(symlink) { (void)ctx; put_string(arg, "/dev/null"); }
CALL(symlink)
{
	unlink(ctx->path);
	return sys_result(syscall(SYS_symlinkat, arg, AT_FDCWD, ctx->path));
}

SITE(symlink);

PREP(rename_to) { put_string(arg, ctx->path); strcat(arg, ".new"); }
CALL(rename_to)
{
	long ret = sys_result(syscall(SYS_renameat2, AT_FDCWD, ctx->path,
				      AT_FDCWD, arg, 0));

	if (!ret)
		unlink(arg);
	return ret;
}

SITE(rename_to);

PREP(prctl_name) { (void)ctx; put_string(arg, "a name"); }
CALL(prctl_name) { (void)ctx; return sys_result(prctl(PR_SET_NAME, arg)); }
SITE(prctl_name);

PREP(memfd_name) { (void)ctx; put_string(arg, "some-name"); }
CALL(memfd_name) { (void)ctx; return fd_result(syscall(SYS_memfd_create, arg, 0)); }
SITE(memfd_name);

PREP(key_description) { (void)ctx; put_string(arg, "a key"); }
CALL(key_description)
{
	long ret = syscall(SYS_add_key, "user", arg, ctx->buf, 16, -2);

	return sys_result(ret < 0 ? ret : 0);
}

SITE(key_description);

PREP(key_payload) { (void)ctx; memset(arg, 'k', 300); }
CALL(key_payload)
{
	long ret = syscall(SYS_add_key, "user", "another", arg, 300, -2);

	(void)ctx;
	return sys_result(ret < 0 ? ret : 0);
}

SITE(key_payload, .at = 200);

PREP(xattr_name) { (void)ctx; put_string(arg, "user.an-attribute"); }
CALL(xattr_name)
{
	return sys_result(syscall(SYS_setxattr, ctx->path, arg, "value", 5, 0));
}

SITE(xattr_name);

PREP(xattr_value) { (void)ctx; memset(arg, 'x', 500); }
CALL(xattr_value)
{
	return sys_result(syscall(SYS_setxattr, ctx->path, "user.an-attribute",
				  arg, 500, 0));
}

SITE(xattr_value, .at = 300);

/* The bad line is behind the options: they are all there, so no error. */
PREP(mount_data) { (void)ctx; memset(arg, 0, MCE_PAGE); put_string(arg, "size=1m"); }
CALL(mount_data)
{
	char dir[PATH_MAX];
	long ret;

	snprintf(dir, sizeof(dir), "%s/mce-mount-%d", ctx->dir, getpid());
	mkdir(dir, 0700);
	ret = sys_result(syscall(SYS_mount, "none", dir, "tmpfs", 0, arg));
	if (!ret)
		umount2(dir, MNT_DETACH);
	rmdir(dir);
	return ret;
}

SITE(mount_data, .at = 1024, .tail = true);

PREP(mount_data_first) { (void)ctx; memset(arg, 0, MCE_PAGE); put_string(arg, "size=1m"); }
CALL(mount_data_first) { return call_mount_data(arg, ctx); }
SITE(mount_data_first);

PREP(hostname) { (void)ctx; put_string(arg, "poisonpc"); }
CALL(hostname) { (void)ctx; return sys_result(syscall(SYS_sethostname, arg, 8)); }
SITE(hostname);

/* --- signals and processes --- */

PREP(sigaltstack)
{
	stack_t ss = { .ss_sp = ctx->buf, .ss_flags = SS_DISABLE };

	memcpy(arg, &ss, sizeof(ss));
}

CALL(sigaltstack) { (void)ctx; return sys_result(syscall(SYS_sigaltstack, arg, NULL)); }
SITE(sigaltstack);

PREP(sigprocmask) { (void)ctx; memset(arg, 0, 8); }
CALL(sigprocmask)
{
	(void)ctx;
	return sys_result(syscall(SYS_rt_sigprocmask, SIG_BLOCK, arg, NULL, 8));
}

SITE(sigprocmask);

PREP(sigaction) { (void)ctx; memset(arg, 0, 32); }
CALL(sigaction) { (void)ctx; return sys_result(syscall(SYS_rt_sigaction, SIGUSR1, arg, NULL, 8)); }
SITE(sigaction);

PREP(sigqueue)
{
	siginfo_t si = { .si_code = SI_QUEUE };

	(void)ctx;
	memcpy(arg, &si, sizeof(si));
}

CALL(sigqueue)
{
	signal(SIGUSR1, SIG_IGN);
	(void)ctx;
	return sys_result(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, arg));
}

SITE(sigqueue);

PREP(capset) { (void)ctx; memset(arg, 0, 24); }
CALL(capset)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	long ret;
	int status;
	pid_t pid;

	(void)ctx;
	/* Not in this process, which still has pages to look at. */
	pid = vfork();
	if (!pid)
		_exit(syscall(SYS_capset, &head, arg) ? errno : 0);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -ECHILD;
	ret = WEXITSTATUS(status);
	return -ret;
}

SITE(capset);

PREP(setgroups) { (void)ctx; memset(arg, 0, 64 * 4); }
CALL(setgroups) { (void)ctx; return sys_result(syscall(SYS_setgroups, 64, arg)); }
SITE(setgroups, .at = 40 * 4);

PREP(affinity) { (void)ctx; memset(arg, 0xff, 128); }
CALL(affinity) { (void)ctx; return sys_result(syscall(SYS_sched_setaffinity, 0, 8, arg)); }
SITE(affinity);

/* Larger than the kernel's structure: check_zeroed_user(). */
PREP(openat2)
{
	struct open_how how = { .flags = O_RDONLY };

	(void)ctx;
	memset(arg, 0, 512);
	memcpy(arg, &how, sizeof(how));
}

CALL(openat2)
{
	(void)ctx;
	return fd_result(syscall(SYS_openat2, AT_FDCWD, "/dev/null", arg, 512));
}

SITE(openat2);

PREP(openat2_behind) { prep_openat2(arg, ctx); }
CALL(openat2_behind) { return call_openat2(arg, ctx); }
SITE(openat2_behind, .at = 300);

PREP(sched_setattr)
{
	(void)ctx;
	memset(arg, 0, 256);
	*(__u32 *)arg = 256;
}

CALL(sched_setattr) { (void)ctx; return sys_result(syscall(SYS_sched_setattr, 0, arg, 0)); }
SITE(sched_setattr);

PREP(seccomp_filter)
{
	struct sock_filter insn = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_filter *prog = arg;
	int i;

	(void)ctx;
	for (i = 0; i < 32; i++)
		prog[i] = insn;
}

CALL(seccomp_filter)
{
	struct sock_fprog prog = { .len = 32, .filter = arg };

	(void)ctx;
	return sys_result(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog));
}

SITE(seccomp_filter, .at = 16 * 8);

PREP(bpf_attr)
{
	union bpf_attr attr = { 0 };

	(void)ctx;
	attr.map_type = BPF_MAP_TYPE_ARRAY;
	attr.key_size = 4;
	attr.value_size = 8;
	attr.max_entries = 1;
	memset(arg, 0, 1024);
	memcpy(arg, &attr, sizeof(attr));
}

CALL(bpf_attr) { (void)ctx; return fd_result(syscall(SYS_bpf, BPF_MAP_CREATE, arg, 72)); }
SITE(bpf_attr);

PREP(bpf_attr_behind) { prep_bpf_attr(arg, ctx); }
CALL(bpf_attr_behind) { (void)ctx; return fd_result(syscall(SYS_bpf, BPF_MAP_CREATE, arg, 1024)); }
SITE(bpf_attr_behind, .at = 600);

PREP(perf_attr)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE };

	(void)ctx;
	attr.size = sizeof(attr);
	attr.config = PERF_COUNT_SW_PAGE_FAULTS;
	memcpy(arg, &attr, sizeof(attr));
}

CALL(perf_attr) { (void)ctx; return fd_result(syscall(SYS_perf_event_open, arg, 0, -1, -1, 0)); }
SITE(perf_attr);

/* --- sockets and messages --- */

PREP(bind_address)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };

	(void)ctx;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	memcpy(arg, &sin, sizeof(sin));
}

CALL(bind_address)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	long ret = sys_result(bind(fd, arg, sizeof(struct sockaddr_in)));

	(void)ctx;
	close(fd);
	return ret;
}

SITE(bind_address);

PREP(setsockopt)
{
	struct linger l = { 0 };

	(void)ctx;
	memcpy(arg, &l, sizeof(l));
}

CALL(setsockopt)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	long ret = sys_result(setsockopt(fd, SOL_SOCKET, SO_LINGER, arg,
					 sizeof(struct linger)));

	(void)ctx;
	close(fd);
	return ret;
}

SITE(setsockopt);

PREP(getsockopt_length) { (void)ctx; *(int *)arg = 4; }
CALL(getsockopt_length)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	long ret = sys_result(syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE,
				      ctx->buf, arg));

	close(fd);
	return ret;
}

SITE(getsockopt_length);

PREP(msghdr)
{
	struct msghdr msg = { 0 };

	(void)ctx;
	memcpy(arg, &msg, sizeof(msg));
}

CALL(msghdr)
{
	int sv[2];
	long ret;

	(void)ctx;
	socketpair(AF_UNIX, SOCK_DGRAM, 0, sv);
	ret = sys_result(syscall(SYS_sendmsg, sv[0], arg, MSG_DONTWAIT));
	close(sv[0]);
	close(sv[1]);
	return ret;
}

SITE(msghdr);

PREP(control_message)
{
	struct cmsghdr *c = arg;

	(void)ctx;
	memset(arg, 0, 256);
	c->cmsg_len = CMSG_LEN(4);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
}

CALL(control_message)
{
	struct iovec iov = { ctx->buf, 8 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = arg,
		.msg_controllen = CMSG_SPACE(4),
	};
	int sv[2];
	long ret;

	socketpair(AF_UNIX, SOCK_DGRAM, 0, sv);
	ret = sys_result(syscall(SYS_sendmsg, sv[0], &msg, MSG_DONTWAIT));
	close(sv[0]);
	close(sv[1]);
	return ret;
}

SITE(control_message, .good = 8);

PREP(mq_send) { (void)ctx; memset(arg, 'q', 4000); }
CALL(mq_send)
{
	mqd_t mq = mq_open("/mce", O_RDWR | O_CREAT | O_NONBLOCK, 0600, NULL);
	long ret = sys_result(syscall(SYS_mq_timedsend, mq, arg, 4000, 0, NULL));

	(void)ctx;
	mq_close(mq);
	mq_unlink("/mce");
	return ret;
}

SITE(mq_send, .at = 2222);

PREP(msgsnd) { (void)ctx; memset(arg, 1, 6000); }
CALL(msgsnd)
{
	int id = msgget(IPC_PRIVATE, 0600);
	long ret = sys_result(syscall(SYS_msgsnd, id, arg, 5900, IPC_NOWAIT));

	(void)ctx;
	msgctl(id, IPC_RMID, NULL);
	return ret;
}

SITE(msgsnd, .at = 5000);

PREP(semop)
{
	struct sembuf *ops = arg;
	int i;

	(void)ctx;
	for (i = 0; i < 100; i++)
		ops[i] = (struct sembuf){ .sem_op = 1 };
}

CALL(semop)
{
	int id = semget(IPC_PRIVATE, 1, 0600);
	long ret = sys_result(syscall(SYS_semop, id, arg, 100));

	(void)ctx;
	semctl(id, 0, IPC_RMID);
	return ret;
}

SITE(semop, .at = 50 * 6);

PREP(epoll_ctl) { (void)ctx; memset(arg, 0, sizeof(struct epoll_event)); }
CALL(epoll_ctl)
{
	int ep = epoll_create1(0), ev = eventfd(0, 0);
	long ret = sys_result(syscall(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, ev, arg));

	(void)ctx;
	close(ep);
	close(ev);
	return ret;
}

SITE(epoll_ctl);

PREP(eventfd_write) { (void)ctx; *(__u64 *)arg = 1; }
CALL(eventfd_write)
{
	int ev = eventfd(0, 0);
	long ret = sys_result(write(ev, arg, 8));

	(void)ctx;
	close(ev);
	return ret;
}

SITE(eventfd_write, .good = 8);

/* --- files and memory --- */

PREP(fiemap)
{
	struct fiemap fm = { .fm_length = ~0ULL };

	(void)ctx;
	memcpy(arg, &fm, sizeof(fm));
}

CALL(fiemap) { return sys_result(ioctl(ctx->fd2, FS_IOC_FIEMAP, arg)); }
SITE(fiemap);

PREP(copy_range_offset) { (void)ctx; *(__u64 *)arg = 0; }
CALL(copy_range_offset)
{
	loff_t out = 65536;

	return sys_result(syscall(SYS_copy_file_range, ctx->fd2, arg, ctx->fd2,
				  &out, 8, 0));
}

SITE(copy_range_offset, .good = 8);

PREP(sendfile_offset) { (void)ctx; *(__u64 *)arg = 0; }
CALL(sendfile_offset)
{
	return sys_result(syscall(SYS_sendfile, ctx->fd, ctx->fd2, arg, 8));
}

SITE(sendfile_offset, .good = 8);

PREP(flock)
{
	struct flock fl = { .l_type = F_WRLCK };

	(void)ctx;
	memcpy(arg, &fl, sizeof(fl));
}

CALL(flock) { return sys_result(fcntl(ctx->fd2, F_SETLK, arg)); }
SITE(flock);

PREP(madvise_vec)
{
	struct iovec *iov = arg;

	memset(arg, 0, 128);
	iov[0].iov_base = (void *)((unsigned long)ctx->buf & ~(MCE_PAGE - 1));
	iov[0].iov_len = MCE_PAGE;
}

CALL(madvise_vec)
{
	int pidfd = syscall(SYS_pidfd_open, getpid(), 0);
	long ret = sys_result(syscall(SYS_process_madvise, pidfd, arg, 1,
				      MADV_COLD, 0));

	(void)ctx;
	close(pidfd);
	return ret;
}

SITE(madvise_vec, .good = MCE_PAGE);

PREP(mempolicy) { (void)ctx; memset(arg, 0, 512); *(__u64 *)arg = 1; }
CALL(mempolicy)
{
	long ret = sys_result(syscall(SYS_set_mempolicy, 3 /* INTERLEAVE */,
				      arg, 64));

	(void)ctx;
	syscall(SYS_set_mempolicy, 0, NULL, 0);
	return ret;
}

SITE(mempolicy);

PREP(move_pages) { ((void **)arg)[0] = ctx->buf; }
CALL(move_pages)
{
	int status;

	(void)ctx;
	return sys_result(syscall(SYS_move_pages, 0, 1, arg, NULL, &status, 0));
}

SITE(move_pages);

PREP(io_uring_params) { (void)ctx; memset(arg, 0, sizeof(struct io_uring_params)); }
CALL(io_uring_params) { (void)ctx; return fd_result(syscall(SYS_io_uring_setup, 4, arg)); }
SITE(io_uring_params);

PREP(proc_write) { (void)ctx; put_string(arg, "0"); }
CALL(proc_write)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);
	long ret = sys_result(write(fd, arg, 1));

	(void)ctx;
	close(fd);
	return ret;
}

SITE(proc_write, .good = 1);

PREP(sysctl_write) { (void)ctx; put_string(arg, "60\n"); }
CALL(sysctl_write)
{
	int fd = open("/proc/sys/vm/swappiness", O_WRONLY);
	long ret = sys_result(write(fd, arg, 3));

	(void)ctx;
	close(fd);
	return ret;
}

SITE(sysctl_write, .good = 3);

PREP(kmsg_write) { (void)ctx; memset(arg, 'm', 200); }
CALL(kmsg_write)
{
	int fd = open("/dev/kmsg", O_WRONLY);
	long ret = sys_result(write(fd, arg, 200));

	(void)ctx;
	close(fd);
	return ret;
}

SITE(kmsg_write, .good = 200, .at = 100);

/* --- 32-bit calls, which have structures and copies of their own --- */

static long call_32(unsigned int nr, __u32 a, __u32 b, __u32 c, __u32 d)
{
	int ret;

	asm volatile("int $0x80" : "=a" (ret)
		     : "0" (nr), "b" (a), "c" (b), "d" (c), "S" (d), "D" (0)
		     : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

static __u32 ptr_32(const void *p)
{
	return (__u32)(unsigned long)p;
}

/* What a structure refers to lies in the same memory, far from the bad line. */
#define ELSEWHERE	512

PREP(iovec_32)
{
	__u32 *iov = arg;
	int i;

	(void)ctx;
	for (i = 0; i < 9; i++) {
		iov[2 * i] = ptr_32(arg) + ELSEWHERE;
		iov[2 * i + 1] = 8;
	}
}

CALL(iovec_32) { return call_32(146, ctx->fd, ptr_32(arg), 9, 0); }
SITE(iovec_32, .good = 72, .at = 64, .low = true);

PREP(msghdr_32)
{
	__u32 *msg = arg, *iov = arg + ELSEWHERE;

	(void)ctx;
	memset(msg, 0, 28);
	msg[2] = ptr_32(iov);
	msg[3] = 1;
	iov[0] = ptr_32(arg) + 2 * ELSEWHERE;
	iov[1] = 8;
}

CALL(msghdr_32)
{
	int sv[2];
	long ret;

	(void)ctx;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv))
		return -errno;
	ret = call_32(370, sv[0], ptr_32(arg), 0, 0);
	close(sv[0]);
	close(sv[1]);
	return ret;
}

SITE(msghdr_32, .good = 8, .low = true);

PREP(itimerval_32) { (void)ctx; memset(arg, 0, 16); }
CALL(itimerval_32) { (void)ctx; return call_32(104, ITIMER_VIRTUAL, ptr_32(arg), 0, 0); }
SITE(itimerval_32, .low = true);

PREP(sigset_32) { (void)ctx; memset(arg, 0, 8); }
CALL(sigset_32) { (void)ctx; return call_32(175, SIG_BLOCK, ptr_32(arg), 0, 8); }
SITE(sigset_32, .low = true);

PREP(sigaltstack_32)
{
	__u32 *ss = arg;

	(void)ctx;
	ss[0] = 0;
	ss[1] = SS_DISABLE;
	ss[2] = 0;
}

CALL(sigaltstack_32) { (void)ctx; return call_32(186, ptr_32(arg), 0, 0, 0); }
SITE(sigaltstack_32, .low = true);

/* struct compat_flock: type, whence, start, len, pid */
PREP(flock_32) { (void)ctx; memset(arg, 0, 16); }
CALL(flock_32) { return call_32(55, ctx->fd2, F_SETLK, ptr_32(arg), 0); }
SITE(flock_32, .low = true);

PREP(path_32) { (void)ctx; put_string(arg, "/dev/null"); }
CALL(path_32)
{
	long fd = call_32(5, ptr_32(arg), O_RDONLY, 0, 0);

	(void)ctx;
	return fd < 0 ? fd : fd_result(fd);
}

SITE(path_32, .low = true);

PREP(futex_32) { (void)ctx; *(__u32 *)arg = 5; }
CALL(futex_32) { (void)ctx; return call_32(422, ptr_32(arg), 0 /* WAIT */, 6, 0); }
SITE(futex_32, .good = -EAGAIN, .low = true);

/* --- what is done with each --- */

FIXTURE_SETUP(arg)
{
	struct ctx *ctx = &self->ctx;

	ctx->fd = -1;
	ctx->fd2 = -1;
	self->fd = -1;
	self->map = MAP_FAILED;
	ASSERT_EQ(0, mce_pin(0));
	self->anon = mce_anon(NPAGES, SEED);
	ASSERT_NE(NULL, self->anon);
	if (variant->low) {
		void *low = mmap(NULL, NPAGES * MCE_PAGE, PROT_NONE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

		ASSERT_NE(MAP_FAILED, low);
		self->anon = mremap(self->anon, NPAGES * MCE_PAGE, NPAGES * MCE_PAGE,
				    MREMAP_MAYMOVE | MREMAP_FIXED, low);
		ASSERT_EQ(low, self->anon);
	}
	if (!mce_dir_on(MCE_FS_EXT4, ctx->dir, sizeof(ctx->dir)))
		SKIP(return, "no directory on ext4");
	snprintf(ctx->path, sizeof(ctx->path), "%s/mce-arg-%d", ctx->dir, getpid());
	ctx->fd2 = open(ctx->path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	ASSERT_GE(ctx->fd2, 0);
	ASSERT_EQ(64, pwrite(ctx->fd2, self->anon, 64, 0));
	ctx->fd = open("/dev/null", O_RDWR);
	ASSERT_GE(ctx->fd, 0);
	memset(ctx->buf, 'b', sizeof(ctx->buf));
	variant->prep(self->anon + START + variant->shift, ctx);
}

FIXTURE_TEARDOWN(arg)
{
	mce_retire();
	if (self->map != MAP_FAILED)
		munmap(self->map, NPAGES * MCE_PAGE);
	munmap(self->anon, NPAGES * MCE_PAGE);
	close(self->ctx.fd);
	close(self->ctx.fd2);
	if (self->fd >= 0) {
		close(self->fd);
		unlink(self->path);
	}
	unlink(self->ctx.path);
}

TEST_F(arg, lost)
{
	__u8 *arg = self->anon + START + variant->shift;
	__u8 *bad = arg + variant->at;
	struct mce_watch w;
	__u64 phys;
	long ret;

	ASSERT_EQ(0, mce_arm(bad, &phys));
	mce_watch_start(&w);
	ret = variant->call(arg, &self->ctx);
	mce_check_lost(_metadata, &w, bad, phys, variant->what, ret, -ret);
	EXPECT_EQ(variant->tail ? variant->good : -EFAULT, ret);
}

TEST_F(arg, clean_file)
{
	__u8 *arg, *bad;
	struct mce_watch w;
	__u64 phys;
	long ret;

	snprintf(self->path, sizeof(self->path), "%s/mce-arg-map-%d",
		 self->ctx.dir, getpid());
	self->fd = open(self->path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ((ssize_t)(NPAGES * MCE_PAGE),
		  write(self->fd, self->anon, NPAGES * MCE_PAGE));
	ASSERT_EQ(0, fsync(self->fd));
	self->map = mmap(NULL, NPAGES * MCE_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | (variant->low ? MAP_32BIT : 0), self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	ASSERT_EQ(0, madvise(self->map, NPAGES * MCE_PAGE, 22 /* POPULATE_READ */));

	arg = self->map + START + variant->shift;
	bad = arg + variant->at;
	ASSERT_EQ(0, mce_arm(bad, &phys));
	mce_watch_start(&w);
	ret = variant->call(arg, &self->ctx);
	mce_check_healed(_metadata, &w, bad, phys, variant->what, ret, -ret);
	EXPECT_EQ(variant->good, ret);
}

#include "mce_main.h"
