// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel loads poison from a program's memory, on its behalf.
 *
 * The system call reports it: a short count of what came before the bad line,
 * or -EFAULT. There is no signal until the program touches the line itself,
 * and nothing touches it a second time: one machine check a call. For kernels
 * that are known to need more, $MCE_EXPECT_MCS has the number.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/userfaultfd.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_consumed.h"

#define SEED	0x2002
#define NPAGES	4

FIXTURE(write_pipe)
{
	__u8 *buf;
	int pipe[2];
};

FIXTURE_VARIANT(write_pipe)
{
	size_t start;		/* offset in the buffer, for alignment */
	size_t len;
	size_t good;		/* bytes before the first byte of the bad line */
};

/* Less than 64 bytes: copied by another piece of the copy routine. */
FIXTURE_VARIANT_ADD(write_pipe, tiny)
{
	.start = MCE_PAGE,
	.len = 4,
};

FIXTURE_VARIANT_ADD(write_pipe, small)
{
	.start = MCE_PAGE,
	.len = 32,
};

FIXTURE_VARIANT_ADD(write_pipe, page)
{
	.start = MCE_PAGE,
	.len = MCE_PAGE,
	.good = 1024,
};

FIXTURE_VARIANT_ADD(write_pipe, page_unaligned)
{
	.start = MCE_PAGE + 13,
	.len = 2000,
	.good = 1024 - 13,
};

FIXTURE_VARIANT_ADD(write_pipe, second_page)
{
	.start = 0,
	.len = 3 * MCE_PAGE,
	.good = MCE_PAGE + 2048,
};

FIXTURE_SETUP(write_pipe)
{
	ASSERT_EQ(0, mce_pin(0));
	self->buf = mce_anon(NPAGES, SEED);
	ASSERT_NE(NULL, self->buf);
	ASSERT_EQ(0, pipe2(self->pipe, O_NONBLOCK));
}

FIXTURE_TEARDOWN(write_pipe)
{
	mce_retire();
	munmap(self->buf, NPAGES * MCE_PAGE);
	close(self->pipe[0]);
	close(self->pipe[1]);
}

TEST_F(write_pipe, once)
{
	const __u8 *src = self->buf + variant->start;
	const __u8 *bad = src + variant->good;
	__u8 got[NPAGES * MCE_PAGE];
	struct mce_watch w;
	__u64 old;
	ssize_t ret, n;
	int err;

	ASSERT_EQ(0, mce_arm(bad, &old));
	mce_watch_start(&w);
	ret = write(self->pipe[1], src, variant->len);
	err = errno;
	mce_check_lost(_metadata, &w, bad, old, "write(2)", ret, err);

	if (ret < 0) {
		EXPECT_EQ(EFAULT, err);
		ret = 0;
	} else {
		EXPECT_GT(ret, 0);
		EXPECT_LE(ret, (ssize_t)variant->good);
	}
	/* What was counted is in the pipe, and not one byte more. */
	n = read(self->pipe[0], got, sizeof(got));
	EXPECT_EQ(ret ? ret : -1, n);
	if (n > 0)
		EXPECT_EQ(-1, mce_differs(got, n, SEED, variant->start));
}

FIXTURE(write_file)
{
	char path[PATH_MAX];
	__u8 *buf;
	int fd;
};

FIXTURE_VARIANT(write_file)
{
	unsigned long fs;
};

FIXTURE_VARIANT_ADD(write_file, ext4)
{
	.fs = MCE_FS_EXT4,
};

FIXTURE_VARIANT_ADD(write_file, tmpfs)
{
	.fs = MCE_FS_TMPFS,
};

FIXTURE_SETUP(write_file)
{
	char dir[PATH_MAX - 64];

	self->fd = -1;
	ASSERT_EQ(0, mce_pin(0));
	self->buf = mce_anon(NPAGES, SEED);
	ASSERT_NE(NULL, self->buf);
	if (!mce_dir_on(variant->fs, dir, sizeof(dir)))
		SKIP(return, "no directory on that file system");
	snprintf(self->path, sizeof(self->path), "%s/mce-write-%d", dir, getpid());
	self->fd = open(self->path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(write_file)
{
	mce_retire();
	munmap(self->buf, NPAGES * MCE_PAGE);
	close(self->fd);
	unlink(self->path);
}

TEST_F(write_file, once)
{
	const __u8 *bad = self->buf + MCE_PAGE + 1024;
	__u8 got[NPAGES * MCE_PAGE];
	struct mce_watch w;
	__u64 old;
	ssize_t ret, n;
	int err;

	ASSERT_EQ(0, mce_arm(bad, &old));
	mce_watch_start(&w);
	ret = write(self->fd, self->buf + MCE_PAGE, MCE_PAGE);
	err = errno;
	mce_check_lost(_metadata, &w, bad, old, "write(2)", ret, err);

	if (ret < 0) {
		EXPECT_EQ(EFAULT, err);
		ret = 0;
	} else {
		EXPECT_GT(ret, 0);
		EXPECT_LE(ret, 1024);
	}
	n = pread(self->fd, got, sizeof(got), 0);
	EXPECT_EQ(ret, n);
	if (n > 0)
		EXPECT_EQ(-1, mce_differs(got, n, SEED, MCE_PAGE));
}

TEST(futex_wait)
{
	struct timespec soon = { .tv_nsec = 100000000 };
	struct mce_watch w;
	__u8 *buf;
	__u64 old;
	int ret, err;

	ASSERT_EQ(0, mce_pin(0));
	buf = mce_anon(NPAGES, SEED);
	ASSERT_NE(NULL, buf);
	*(__u32 *)(buf + MCE_PAGE) = 42;
	ASSERT_EQ(0, mce_arm(buf + MCE_PAGE, &old));
	mce_watch_start(&w);
	ret = syscall(SYS_futex, buf + MCE_PAGE, FUTEX_WAIT_PRIVATE, 42, &soon,
		      NULL, 0);
	err = errno;
	mce_check_lost(_metadata, &w, buf + MCE_PAGE, old, "FUTEX_WAIT", ret, err);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EFAULT, err);
	mce_retire();
}

/*
 * Every length, alignment, and place of the bad line that takes another way
 * through the copy routines. write(2) to tmpfs counts single bytes: what is in
 * front of the line has to be there, what is behind must not.
 */
static const size_t sweep_lens[] = {
	1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 63, 64,
	65, 71, 72, 100, 127, 128, 129, 200, 255, 256, 511, 1000, 2048, 4000,
	4095, 4096, 5000, 8192, 10000,
};

static void sweep_one(struct __test_metadata *const _metadata, int fd,
		      size_t start, size_t len, size_t good)
{
	__u8 *buf = mce_anon(NPAGES, SEED), *bad;
	__u8 got[NPAGES * MCE_PAGE];
	struct mce_watch w;
	ssize_t ret, n;
	__u64 phys;
	int err;

	ASSERT_NE(NULL, buf);
	ASSERT_EQ(0, ftruncate(fd, 0));
	bad = buf + start + good;
	ASSERT_EQ(0, mce_arm(bad, &phys));
	mce_watch_start(&w);
	ret = pwrite(fd, buf + start, len, 0);
	err = errno;
	mce_watch_end(&w, 1);
	EXPECT_EQ(1, w.mcs)
		TH_LOG("length %zu, shift %zu, %zu good bytes", len, start, good);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_EQ(0, __atomic_load_n(&mce_signals, __ATOMIC_SEQ_CST));
	if (good) {
		EXPECT_EQ((ssize_t)good, ret)
			TH_LOG("length %zu, shift %zu", len, start);
	} else {
		EXPECT_EQ(-1, ret);
		EXPECT_EQ(EFAULT, err);
	}
	n = pread(fd, got, sizeof(got), 0);
	EXPECT_EQ(ret < 0 ? 0 : ret, n);
	if (n > 0)
		EXPECT_EQ(-1, mce_differs(got, n, SEED, start));
	mce_touch_lost(_metadata, bad);
	munmap(buf, NPAGES * MCE_PAGE);
}

/* Bytes from @pos on to the next line. */
static size_t to_next_line(size_t pos)
{
	return MCE_LINE - pos % MCE_LINE;
}

static void sweep(struct __test_metadata *const _metadata, size_t shift)
{
	char dir[PATH_MAX - 64], path[PATH_MAX];
	unsigned int i, tried = 0;
	int fd;

	ASSERT_EQ(0, mce_pin(0));
	if (!mce_dir_on(MCE_FS_TMPFS, dir, sizeof(dir)))
		SKIP(return, "no tmpfs");
	snprintf(path, sizeof(path), "%s/mce-sweep-%d", dir, getpid());
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	ASSERT_GE(fd, 0);
	unlink(path);

	for (i = 0; i < ARRAY_SIZE(sweep_lens); i++) {
		size_t start = MCE_PAGE / 2 + shift, len = sweep_lens[i];
		size_t last = (start + len - 1) / MCE_LINE * MCE_LINE;
		size_t middle = start + to_next_line(start) +
				(len / 2) / MCE_LINE * MCE_LINE;

		/* The first line, the last one, and one in between. */
		sweep_one(_metadata, fd, start, len, 0);
		tried++;
		if (last > start) {
			sweep_one(_metadata, fd, start, len, last - start);
			tried++;
		}
		if (middle < last) {
			sweep_one(_metadata, fd, start, len, middle - start);
			tried++;
		}
	}
	mce_outcome("%u copies from a buffer at offset %zu of a line, 1 #MC each",
		    tried, shift);
	mce_retire();
	close(fd);
}

FIXTURE(sweep) {};
FIXTURE_VARIANT(sweep)
{
	size_t shift;
};

FIXTURE_VARIANT_ADD(sweep, aligned) { .shift = 0 };
FIXTURE_VARIANT_ADD(sweep, by_1) { .shift = 1 };
FIXTURE_VARIANT_ADD(sweep, by_8) { .shift = 8 };
FIXTURE_VARIANT_ADD(sweep, by_61) { .shift = 61 };
FIXTURE_SETUP(sweep) {}
FIXTURE_TEARDOWN(sweep) {}

TEST_F_TIMEOUT(sweep, tmpfs, 240)
{
	sweep(_metadata, variant->shift);
}

/*
 * Other ways to write: what @out says is how many bytes may have arrived, and
 * they must be the right ones.
 */
struct sink {
	int fd;			/* written to */
	int back;		/* read from */
	bool seek;		/* back is a file */
	int extra;
	char path[PATH_MAX];
};

static long put_write(struct sink *s, void *buf, size_t len)
{
	return write(s->fd, buf, len);
}

static long put_writev(struct sink *s, void *buf, size_t len)
{
	struct iovec iov[3] = {
		{ buf, 100 },
		{ (char *)buf + 100, 700 },
		{ (char *)buf + 800, len - 800 },
	};

	return writev(s->fd, iov, 3);
}

static long put_pwritev2(struct sink *s, void *buf, size_t len)
{
	struct iovec iov[2] = { { buf, 512 }, { (char *)buf + 512, len - 512 } };

	return pwritev2(s->fd, iov, 2, 0, 0);
}

static long put_send(struct sink *s, void *buf, size_t len)
{
	return send(s->fd, buf, len, MSG_DONTWAIT);
}

static long put_sendmsg(struct sink *s, void *buf, size_t len)
{
	struct iovec iov[2] = { { buf, 512 }, { (char *)buf + 512, len - 512 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	return sendmsg(s->fd, &msg, MSG_DONTWAIT);
}

static long put_process_vm(struct sink *s, void *buf, size_t len)
{
	struct iovec from = { buf, len }, to = { NULL, len };

	to.iov_base = mmap(NULL, 2 * MCE_PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	(void)s;
	return process_vm_writev(getpid(), &from, 1, &to, 1, 0);
}

static bool file_on(struct sink *s, unsigned long fs, int flags)
{
	char dir[PATH_MAX - 64];

	if (!mce_dir_on(fs, dir, sizeof(dir)))
		return false;
	snprintf(s->path, sizeof(s->path), "%s/mce-sink-%d", dir, getpid());
	s->fd = open(s->path, O_RDWR | O_CREAT | O_TRUNC | flags, 0600);
	s->back = s->fd;
	s->seek = true;
	return s->fd >= 0;
}

static bool make_pipe(struct sink *s)
{
	int p[2];

	if (pipe2(p, O_NONBLOCK))
		return false;
	s->back = p[0];
	s->fd = p[1];
	return true;
}

static bool make_tmpfs(struct sink *s) { return file_on(s, MCE_FS_TMPFS, 0); }
static bool make_ext4(struct sink *s) { return file_on(s, MCE_FS_EXT4, 0); }
static bool make_xfs(struct sink *s) { return file_on(s, MCE_FS_XFS, 0); }

static bool make_pair(struct sink *s, int type)
{
	int sv[2];

	if (socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, sv))
		return false;
	s->fd = sv[0];
	s->back = sv[1];
	return true;
}

static bool make_unix_stream(struct sink *s) { return make_pair(s, SOCK_STREAM); }
static bool make_unix_dgram(struct sink *s) { return make_pair(s, SOCK_DGRAM); }
static bool make_unix_packet(struct sink *s) { return make_pair(s, SOCK_SEQPACKET); }

/* A loopback of our own; with a small MTU the sender sums up while it copies. */
static bool own_loopback(int mtu)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	int fd;
	bool ok;

	/* Not everybody has network namespaces: then it is that of all. */
	if (unshare(CLONE_NEWNET) && errno != EINVAL)
		return false;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	ifr.ifr_mtu = mtu;
	ok = !ioctl(fd, SIOCSIFMTU, &ifr);
	ifr.ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING;
	ok = ok && !ioctl(fd, SIOCSIFFLAGS, &ifr);
	close(fd);
	return ok;
}

static bool make_inet(struct sink *s, int type)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int l;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	l = socket(AF_INET, type, 0);
	if (l < 0 || bind(l, (void *)&sin, len) || getsockname(l, (void *)&sin, &len))
		return false;
	if (type == SOCK_STREAM && listen(l, 1))
		return false;
	s->fd = socket(AF_INET, type, 0);
	if (connect(s->fd, (void *)&sin, len))
		return false;
	s->back = type == SOCK_STREAM ? accept(l, NULL, NULL) : l;
	return s->back >= 0;
}

static bool make_tcp(struct sink *s)
{
	return own_loopback(65536) && make_inet(s, SOCK_STREAM);
}

static bool make_udp(struct sink *s)
{
	return own_loopback(65536) && make_inet(s, SOCK_DGRAM);
}

static bool make_udp_checksummed(struct sink *s)
{
	return own_loopback(1500) && make_inet(s, SOCK_DGRAM);
}

static bool make_nothing(struct sink *s)
{
	s->fd = open("/dev/null", O_RDWR | O_NONBLOCK);
	s->back = s->fd;
	return true;
}

FIXTURE(put)
{
	struct sink sink;
	__u8 *buf;
	__u8 *map;
	int fd;
	char path[PATH_MAX];
};

FIXTURE_VARIANT(put)
{
	const char *what;
	bool (*make)(struct sink *s);
	long (*put)(struct sink *s, void *buf, size_t len);
	size_t len;
};

#define PUT(name, how, sink, text)	\
	FIXTURE_VARIANT_ADD(put, name)	\
	{				\
		.what = text, .make = make_##sink, .put = put_##how,	\
		.len = 6000,		\
	}

PUT(pipe_writev, writev, pipe, "writev to a pipe");
PUT(tmpfs_writev, writev, tmpfs, "writev to tmpfs");
PUT(tmpfs_pwritev2, pwritev2, tmpfs, "pwritev2 to tmpfs");
PUT(ext4_write, write, ext4, "write to ext4");
PUT(ext4_pwritev2, pwritev2, ext4, "pwritev2 to ext4");
PUT(xfs_write, write, xfs, "write to xfs");
PUT(xfs_writev, writev, xfs, "writev to xfs");
PUT(unix_stream, write, unix_stream, "AF_UNIX stream");
PUT(unix_dgram, send, unix_dgram, "AF_UNIX datagram");
PUT(unix_packet, sendmsg, unix_packet, "AF_UNIX packet, two vectors");
PUT(tcp, send, tcp, "TCP");
PUT(tcp_sendmsg, sendmsg, tcp, "TCP, two vectors");
PUT(udp, send, udp, "UDP");
PUT(udp_checksummed, send, udp_checksummed, "UDP, checksummed");
PUT(process_vm_writev, process_vm, nothing, "process_vm_writev");

FIXTURE_SETUP(put)
{
	ASSERT_EQ(0, mce_pin(0));
	self->map = MAP_FAILED;
	self->fd = -1;
	self->sink.fd = -1;
	self->buf = mce_anon(NPAGES, SEED);
	ASSERT_NE(NULL, self->buf);
	if (!variant->make(&self->sink))
		SKIP(return, "no such file, directory, or network");
}

FIXTURE_TEARDOWN(put)
{
	mce_retire();
	if (variant->make == make_udp_checksummed)
		own_loopback(65536);
	munmap(self->buf, NPAGES * MCE_PAGE);
	if (self->map != MAP_FAILED)
		munmap(self->map, NPAGES * MCE_PAGE);
	close(self->fd);
	close(self->sink.fd);
	close(self->sink.back);
	if (self->path[0])
		unlink(self->path);
	if (self->sink.path[0])
		unlink(self->sink.path);
}

/* What arrived is what was counted. */
static void check_arrived(struct __test_metadata *const _metadata,
			  struct sink *s, long ret, size_t start)
{
	__u8 got[NPAGES * MCE_PAGE];
	long n = 0, one;

	while (n < (long)sizeof(got)) {
		if (s->seek)
			one = pread(s->back, got + n, sizeof(got) - n, n);
		else
			one = recv(s->back, got + n, sizeof(got) - n, MSG_DONTWAIT);
		if (one < 0 && errno == ENOTSOCK)
			one = read(s->back, got + n, sizeof(got) - n);
		if (one <= 0)
			break;
		n += one;
	}
	EXPECT_EQ(ret < 0 ? 0 : ret, n);
	EXPECT_EQ(-1, mce_differs(got, n, SEED, start));
}

static void put_lost(struct __test_metadata *const _metadata, struct sink *sink,
		     __u8 *buf, size_t len, size_t good, const char *what,
		     long (*put)(struct sink *s, void *buf, size_t len))
{
	__u8 *src = buf + MCE_PAGE - 128, *bad = src + good;
	struct mce_watch w;
	__u64 phys;
	long ret;
	int err;

	ASSERT_EQ(0, mce_arm(bad, &phys));
	mce_watch_start(&w);
	ret = put(sink, src, len);
	err = errno;
	mce_check_lost(_metadata, &w, bad, phys, what, ret, err);
	if (ret < 0) {
		EXPECT_EQ(EFAULT, err);
	} else {
		EXPECT_GT(ret, 0);
		EXPECT_LE(ret, (long)good);
	}
	if (put != put_process_vm)
		check_arrived(_metadata, sink, ret, MCE_PAGE - 128);
}

TEST_F(put, first)
{
	put_lost(_metadata, &self->sink, self->buf, variant->len, 0,
		 variant->what, variant->put);
}

TEST_F(put, middle)
{
	put_lost(_metadata, &self->sink, self->buf, variant->len, 2048,
		 variant->what, variant->put);
}

TEST_F(put, last)
{
	put_lost(_metadata, &self->sink, self->buf, variant->len,
		 (variant->len - 1) / MCE_LINE * MCE_LINE,
		 variant->what, variant->put);
}

/* The buffer is a clean page of a file: the write succeeds, all of it. */
TEST_F(put, clean_file)
{
	char dir[PATH_MAX - 64];
	struct mce_watch w;
	__u8 *src, *bad;
	__u64 phys;
	long ret;
	int err;

	if (!mce_dir_on(MCE_FS_EXT4, dir, sizeof(dir)))
		SKIP(return, "no directory on ext4");
	snprintf(self->path, sizeof(self->path), "%s/mce-src-%d", dir, getpid());
	self->fd = mce_file_create(self->path, NPAGES, 1, SEED);
	ASSERT_GE(self->fd, 0);
	self->map = mmap(NULL, NPAGES * MCE_PAGE, PROT_READ, MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	ASSERT_EQ(0, madvise(self->map, NPAGES * MCE_PAGE, 22 /* POPULATE_READ */));
	src = self->map + MCE_PAGE - 128;
	bad = src + 2048;
	ASSERT_EQ(0, mce_arm(bad, &phys));
	mce_watch_start(&w);
	ret = variant->put(&self->sink, src, variant->len);
	err = errno;
	mce_check_healed(_metadata, &w, bad, phys, variant->what, ret, err);
	EXPECT_EQ((long)variant->len, ret);
	if (variant->put != put_process_vm)
		check_arrived(_metadata, &self->sink, ret, MCE_PAGE - 128);
}

/* The disk meets the poison, not the CPU: an I/O error, and no machine check. */
TEST(o_direct)
{
	struct mce_watch w;
	struct sink s = { 0 };
	__u8 *buf;
	__u64 phys;
	long ret;
	int err;

	ASSERT_EQ(0, mce_pin(0));
	buf = mce_anon(NPAGES, SEED);
	ASSERT_NE(NULL, buf);
	if (!file_on(&s, MCE_FS_EXT4, O_DIRECT))
		SKIP(return, "no directory on ext4");
	ASSERT_EQ(0, mce_arm(buf + MCE_PAGE + 512, &phys));
	mce_watch_start(&w);
	ret = pwrite(s.fd, buf, 2 * MCE_PAGE, 0);
	err = errno;
	mce_watch_end(&w, 0);
	mce_outcome("O_DIRECT write: %ld (%s), %ld #MC", ret,
		    mce_errname(ret < 0 ? err : 0), w.mcs);
	EXPECT_EQ(0, w.mcs);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EIO, err);
	EXPECT_EQ(0, __atomic_load_n(&mce_signals, __ATOMIC_SEQ_CST));
	EXPECT_STREQ("", w.log);
	mce_retire();
	close(s.fd);
	unlink(s.path);
}

static void do_uffdio_copy(struct __test_metadata *const _metadata, __u8 *src,
			   bool lost, const char *what)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_copy copy = { 0 };
	struct mce_watch w;
	int fd, err;
	__u64 phys;
	__u8 *dst;
	long ret;

	fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		SKIP(return, "no userfaultfd");
	ASSERT_EQ(0, ioctl(fd, UFFDIO_API, &api));
	dst = mmap(NULL, 3 * MCE_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, dst);
	reg.range.start = (unsigned long)dst;
	reg.range.len = 3 * MCE_PAGE;
	ASSERT_EQ(0, ioctl(fd, UFFDIO_REGISTER, &reg));
	copy.dst = (unsigned long)dst;
	copy.src = (unsigned long)src;
	copy.len = 3 * MCE_PAGE;
	ASSERT_EQ(0, mce_arm(src + MCE_PAGE + 1024, &phys));
	mce_watch_start(&w);
	ret = ioctl(fd, UFFDIO_COPY, &copy);
	err = errno;
	if (lost) {
		mce_check_lost(_metadata, &w, src + MCE_PAGE + 1024, phys, what,
			       ret, err);
		EXPECT_EQ(-1, ret);
		/* One page was copied. */
		EXPECT_EQ((long)MCE_PAGE, (long)copy.copy);
		EXPECT_EQ(EAGAIN, err);
		EXPECT_EQ(-1, mce_differs(dst, MCE_PAGE, SEED, 0));
	} else {
		mce_check_healed(_metadata, &w, src + MCE_PAGE + 1024, phys,
				 what, ret, err);
		EXPECT_EQ(0, ret);
		EXPECT_EQ(-1, mce_differs(dst, 3 * MCE_PAGE, SEED, 0));
	}
	mce_retire();
	close(fd);
}

TEST(uffdio_copy)
{
	__u8 *buf;

	ASSERT_EQ(0, mce_pin(0));
	buf = mce_anon(NPAGES, SEED);
	ASSERT_NE(NULL, buf);
	do_uffdio_copy(_metadata, buf, true, "UFFDIO_COPY");
}

TEST(uffdio_copy_clean_file)
{
	char dir[PATH_MAX - 64], path[PATH_MAX];
	__u8 *map;
	int fd;

	ASSERT_EQ(0, mce_pin(0));
	if (!mce_dir_on(MCE_FS_EXT4, dir, sizeof(dir)))
		SKIP(return, "no directory on ext4");
	snprintf(path, sizeof(path), "%s/mce-uffd-%d", dir, getpid());
	fd = mce_file_create(path, NPAGES, 1, SEED);
	ASSERT_GE(fd, 0);
	unlink(path);
	map = mmap(NULL, NPAGES * MCE_PAGE, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, madvise(map, NPAGES * MCE_PAGE, 22 /* POPULATE_READ */));
	do_uffdio_copy(_metadata, map, false, "UFFDIO_COPY, clean file");
	close(fd);
}

/* Registers of a stopped child, from a poisoned buffer. */
static void ptrace_poke(struct __test_metadata *const _metadata, int request,
			const char *what)
{
	struct user_regs_struct *regs;
	struct mce_watch w;
	struct iovec iov;
	__u8 *buf;
	__u64 phys;
	long ret;
	int err;
	pid_t pid;

	ASSERT_EQ(0, mce_pin(0));
	buf = mce_anon(NPAGES, SEED);
	ASSERT_NE(NULL, buf);
	regs = (void *)(buf + MCE_PAGE);
	pid = fork();
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	ASSERT_EQ(0, ptrace(PTRACE_GETREGS, pid, 0, regs));
	ASSERT_EQ(0, mce_arm((__u8 *)regs + 128, &phys));
	iov.iov_base = regs;
	iov.iov_len = sizeof(*regs);
	mce_watch_start(&w);
	ret = syscall(SYS_ptrace, request, pid,
		      request == PTRACE_SETREGSET ? 1 /* NT_PRSTATUS */ : 0,
		      request == PTRACE_SETREGSET ? (void *)&iov : (void *)regs);
	err = errno;
	mce_check_lost(_metadata, &w, (__u8 *)regs + 128, phys, what, ret, err);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EFAULT, err);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	mce_retire();
}

TEST(ptrace_setregs)
{
	ptrace_poke(_metadata, PTRACE_SETREGS, "PTRACE_SETREGS");
}

TEST(ptrace_setregset)
{
	ptrace_poke(_metadata, PTRACE_SETREGSET, "PTRACE_SETREGSET");
}

/* POKEDATA stores to what has poison. That raises nothing, and heals nothing. */
TEST(ptrace_pokedata)
{
	struct mce_watch w;
	__u64 phys;
	__u8 *buf;
	pid_t pid;
	long ret;

	ASSERT_EQ(0, mce_pin(0));
	buf = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, buf);
	mce_fill(buf, MCE_PAGE, SEED, 0);
	pid = fork();
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	ASSERT_EQ(0, mce_arm(buf + 512, &phys));
	mce_watch_start(&w);
	ret = ptrace(PTRACE_POKEDATA, pid, buf + 512, 1);
	mce_watch_end(&w, 0);
	mce_outcome("PTRACE_POKEDATA to a bad line: %ld, %ld #MC", ret, w.mcs);
	EXPECT_EQ(0, w.mcs);
	EXPECT_EQ(0, ret);
	EXPECT_STREQ("", w.log);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	mce_retire();
}

/* /proc/PID/mem has its source copied in first. */
TEST(proc_mem_write)
{
	struct mce_watch w;
	__u8 *buf, *dst;
	__u64 phys;
	long ret;
	int fd, err;

	ASSERT_EQ(0, mce_pin(0));
	buf = mce_anon(NPAGES, SEED);
	ASSERT_NE(NULL, buf);
	dst = mmap(NULL, NPAGES * MCE_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, dst);
	fd = open("/proc/self/mem", O_RDWR);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, mce_arm(buf + MCE_PAGE + 1024, &phys));
	mce_watch_start(&w);
	ret = pwrite(fd, buf, 3 * MCE_PAGE, (unsigned long)dst);
	err = errno;
	mce_check_lost(_metadata, &w, buf + MCE_PAGE + 1024, phys,
		       "/proc/self/mem", ret, err);
	/* It says so even if it has written some pages. */
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EFAULT, err);
	EXPECT_EQ(-1, mce_differs(dst, MCE_PAGE, SEED, 0));
	mce_retire();
	close(fd);
}

/* A store has the page copied: a load by the kernel, for the program. */
static void do_store(void *arg)
{
	*(volatile __u8 *)arg = 0x5a;
}

static void cow(struct __test_metadata *const _metadata, bool mapped,
		const char *what)
{
	struct mce_sigbus sb;
	struct mce_watch w;
	struct mce_file f;
	__u8 *map;
	bool ok;
	int err;

	ASSERT_EQ(0, mce_pin(0));
	err = mce_file_open(&f, MCE_FS_EXT4, 1, 1, SEED);
	if (err == -ENOENT)
		SKIP(return, "no directory on ext4");
	ASSERT_EQ(0, err);
	map = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, f.fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	if (mapped)
		ASSERT_EQ(0, madvise(map, MCE_PAGE, 22 /* POPULATE_READ */));
	ASSERT_EQ(0, mce_arm_file(f.fd, 1024, &f.phys));
	mce_watch_start(&w);
	ok = mce_guard(do_store, map + 100, &sb);
	mce_watch_end(&w, 1);
	mce_outcome("%s: %s, %ld #MC", what, ok ? "goes on" : "SIGBUS", w.mcs);
	EXPECT_EQ(mce_expected("MCE_EXPECT_MCS", 1), w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(f.phys));
	EXPECT_TRUE(ok);
	if (ok) {
		EXPECT_EQ(-1, mce_differs(map, 100, SEED, 0));
		EXPECT_EQ(0x5a, map[100]);
		EXPECT_EQ(-1, mce_differs(map + 101, MCE_PAGE - 101, SEED, 101));
	}
	mce_file_close(&f);
	munmap(map, MCE_PAGE);
}

TEST(cow_of_clean_file)
{
	cow(_metadata, false, "store to a clean file page, private");
}

TEST(cow_of_clean_mapped_file)
{
	cow(_metadata, true, "the same, mapped already");
}

#include "mce_main.h"
