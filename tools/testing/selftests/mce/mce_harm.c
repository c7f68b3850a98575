// SPDX-License-Identifier: GPL-2.0
/*
 * What a stock kernel survives, and recovery must not make worse.
 *
 * Mostly a program meets the error itself, in a page that the kernel has, too:
 * a ring, a registered buffer, a page in a pipe. memory_failure() cannot take
 * such a page away, and what the kernel does next with its good part has to
 * work, or to fail, and no more than that.
 *
 * What might never come back is done by a child, and waited for.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_consumed.h"
#include "mce_dm.h"
#include "mce_fuse.h"

#define SEED	0x4a42
#define BAD	2048UL			/* the bad line's offset in its page */
#define PATIENCE_MS	20000

/* Wait for a child that may be stuck: its exit status, or -ETIMEDOUT. */
static int await(pid_t pid)
{
	struct timespec ms = { .tv_nsec = 1000000 };
	int i, status;

	for (i = 0; i < PATIENCE_MS; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) :
						   -WTERMSIG(status);
		nanosleep(&ms, NULL);
	}
	kill(pid, SIGKILL);
	return -ETIMEDOUT;
}

/* The program's own load of what is bad. */
static void meet(struct __test_metadata *const _metadata, const __u8 *bad)
{
	struct mce_watch w;
	struct mce_sigbus sb;
	__u64 phys;

	/* It has to be there. */
	mce_load((__u8 *)((unsigned long)bad & -MCE_PAGE) + MCE_LINE, NULL, NULL);
	ASSERT_EQ(0, mce_arm(bad, &phys));
	mce_watch_start(&w);
	mce_load(bad, NULL, &sb);
	mce_watch_end(&w, 0);
	EXPECT_EQ(1, w.mcs);
}

static __u8 *anon(size_t pages)
{
	__u8 *buf = mmap(NULL, pages * MCE_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (buf == MAP_FAILED)
		return NULL;
	madvise(buf, pages * MCE_PAGE, MADV_NOHUGEPAGE);
	mce_fill(buf, pages * MCE_PAGE, SEED, 0);
	return buf;
}

FIXTURE(harm)
{
	int unused;
};

FIXTURE_SETUP(harm)
{
	ASSERT_EQ(0, mce_pin(0));
}

FIXTURE_TEARDOWN(harm)
{
	mce_retire();
}

/*
 * The ring of completions is a page of the kernel's that the program maps. That
 * it does not any more does not keep the kernel from completing what is under way.
 */
TEST_F(harm, aio_ring)
{
	struct iocb iocb = { .aio_lio_opcode = IOCB_CMD_POLL, .aio_data = 77 };
	struct iocb *list[] = { &iocb };
	struct io_event event;
	aio_context_t ctx = 0;
	struct mce_watch w;
	int p[2], ret;

	ASSERT_EQ(0, pipe(p));
	ASSERT_EQ(0, syscall(__NR_io_setup, 100, &ctx));
	iocb.aio_fildes = p[0];
	iocb.aio_buf = POLLIN;
	ASSERT_EQ(1, syscall(__NR_io_submit, ctx, 1, list));
	/* Behind all events that are going to be there. */
	meet(_metadata, (__u8 *)ctx + BAD);

	mce_watch_start(&w);
	EXPECT_EQ(5, write(p[1], "event", 5));
	ret = syscall(__NR_io_getevents, ctx, 1, 1, &event, NULL);
	mce_watch_end(&w, 0);
	mce_outcome("aio_ring: %s", ret == 1 ? "the event" : mce_errname(errno));
	EXPECT_EQ(0, w.mcs);
	EXPECT_STREQ("", w.log);
	close(p[0]);
	close(p[1]);
}

/* A buffer that io_uring was given for good, and reads into */
struct fixed {
	int fd;
	unsigned int *sq_tail, *sq_array, *cq_head, *cq_tail;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	unsigned int mask;
};

static bool ring_setup(struct fixed *f, void *buf, size_t len)
{
	struct io_uring_params par = { 0 };
	struct iovec iov = { buf, len };
	char *ring;

	f->fd = syscall(__NR_io_uring_setup, 1, &par);
	if (f->fd < 0 || !(par.features & IORING_FEAT_SINGLE_MMAP) ||
	    syscall(__NR_io_uring_register, f->fd, IORING_REGISTER_BUFFERS, &iov, 1))
		return false;
	ring = mmap(NULL, 2 * MCE_PAGE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_POPULATE, f->fd, IORING_OFF_SQ_RING);
	f->sqe = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_POPULATE, f->fd, IORING_OFF_SQES);
	if (ring == MAP_FAILED || f->sqe == MAP_FAILED)
		return false;
	f->sq_tail = (unsigned int *)(ring + par.sq_off.tail);
	f->sq_array = (unsigned int *)(ring + par.sq_off.array);
	f->cq_head = (unsigned int *)(ring + par.cq_off.head);
	f->cq_tail = (unsigned int *)(ring + par.cq_off.tail);
	f->cqe = (struct io_uring_cqe *)(ring + par.cq_off.cqes);
	f->mask = par.cq_entries - 1;
	return true;
}

static int ring_do(struct fixed *f, int op, int fd, void *buf, size_t len, off_t off)
{
	memset(f->sqe, 0, sizeof(*f->sqe));
	f->sqe->opcode = op;
	f->sqe->fd = fd;
	f->sqe->addr = (unsigned long)buf;
	f->sqe->len = len;
	f->sqe->off = off;
	f->sq_array[0] = 0;
	__atomic_store_n(f->sq_tail, *f->sq_tail + 1, __ATOMIC_RELEASE);
	if (syscall(__NR_io_uring_enter, f->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return -errno;
	if (__atomic_load_n(f->cq_tail, __ATOMIC_ACQUIRE) == *f->cq_head)
		return -ENODATA;
	return f->cqe[(*f->cq_head)++ & f->mask].res;
}

static int ring_read(struct fixed *f, int fd, void *buf, size_t len, off_t off)
{
	return ring_do(f, IORING_OP_READ_FIXED, fd, buf, len, off);
}

FIXTURE(fixed)
{
	struct fixed ring;
	struct mce_file file;
	__u8 *buf;
};

FIXTURE_VARIANT(fixed)
{
	unsigned long fs;
	int flags;
	off_t off;
	bool bounced;
};

/* A hole of a file is read with iov_iter_zero(). */
FIXTURE_VARIANT_ADD(fixed, hole)
{
	.fs = MCE_FS_TMPFS,
	.off = 16 * MCE_PAGE,
};

FIXTURE_VARIANT_ADD(fixed, cached)
{
	.fs = MCE_FS_EXT4,
};

FIXTURE_VARIANT_ADD(fixed, direct)
{
	.fs = MCE_FS_EXT4,
	.flags = O_DIRECT,
};

/* The same where the disk needs bounce buffers: an interrupt copies. */
FIXTURE_VARIANT_ADD(fixed, bounced)
{
	.fs = MCE_FS_EXT4,
	.flags = O_DIRECT,
	.bounced = true,
};

/* Does the kernel have to bounce what disks read and write? */
static bool is_bounced(void)
{
	char line[4096] = "";
	int fd = open("/proc/cmdline", O_RDONLY);

	if (fd < 0 || read(fd, line, sizeof(line) - 1) < 0)
		line[0] = '\0';
	close(fd);
	return strstr(line, "swiotlb=force");
}

FIXTURE_SETUP(fixed)
{
	int err;

	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, mce_pin(0));
	if (variant->bounced && !is_bounced())
		SKIP(return, "disks need no bounce buffers");
	self->buf = anon(1);
	ASSERT_NE(NULL, self->buf);
	err = mce_file_open(&self->file, variant->fs, 4, 1, SEED);
	if (err == -ENOENT)
		SKIP(return, "no directory on that file system");
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, ftruncate(self->file.fd, 32 * MCE_PAGE));
	if (!ring_setup(&self->ring, self->buf, MCE_PAGE))
		SKIP(return, "no io_uring");
}

FIXTURE_TEARDOWN(fixed)
{
	if (self->file.buf)
		mce_file_close(&self->file);
	if (self->ring.fd > 0)
		close(self->ring.fd);
	if (self->buf)
		munmap(self->buf, MCE_PAGE);
}

TEST_F(fixed, read)
{
	int res, fd = open(self->file.path, O_RDONLY | variant->flags);

	ASSERT_LE(0, fd);
	meet(_metadata, self->buf + BAD);
	/* Once all of it, then what is in front of the bad line. */
	res = ring_read(&self->ring, fd, self->buf, MCE_PAGE, variant->off);
	EXPECT_EQ((int)MCE_PAGE, res);
	mce_outcome("fixed: %d bytes", res);
	EXPECT_EQ(512, ring_read(&self->ring, fd, self->buf, 512, variant->off));
	close(fd);
}

/*
 * The same with a disk that is encrypted: a cipher reads and writes the page. What
 * has the bad line in it fails, the rest is as good as it was.
 */
FIXTURE(crypt)
{
	struct fixed ring;
	__u8 *buf;
	int fd;
	bool started;
};

FIXTURE_VARIANT(crypt)
{
	int op;
	size_t len;
};

FIXTURE_VARIANT_ADD(crypt, write_front)
{
	.op = IORING_OP_WRITE_FIXED,
	.len = 512,
};

FIXTURE_VARIANT_ADD(crypt, write_all)
{
	.op = IORING_OP_WRITE_FIXED,
	.len = MCE_PAGE,
};

FIXTURE_VARIANT_ADD(crypt, read_front)
{
	.op = IORING_OP_READ_FIXED,
	.len = 512,
};

FIXTURE_VARIANT_ADD(crypt, read_all)
{
	.op = IORING_OP_READ_FIXED,
	.len = MCE_PAGE,
};

#define CRYPT_PAGES	4

FIXTURE_SETUP(crypt)
{
	memset(self, 0, sizeof(*self));
	self->fd = -1;
	ASSERT_EQ(0, mce_pin(0));
	self->started = true;
	if (dm_crypt_start("/dev/ram2", CRYPT_PAGES))
		SKIP(return, "no encrypted disks");
	self->buf = anon(1);
	ASSERT_NE(NULL, self->buf);
	self->fd = open(CRYPT_DEV, O_RDWR | O_DIRECT);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ((ssize_t)MCE_PAGE, pwrite(self->fd, self->buf, MCE_PAGE, 0));
	if (!ring_setup(&self->ring, self->buf, MCE_PAGE))
		SKIP(return, "no io_uring");
}

FIXTURE_TEARDOWN(crypt)
{
	mce_retire();
	if (self->ring.fd > 0)
		close(self->ring.fd);
	if (self->fd >= 0)
		close(self->fd);
	if (self->started)
		dm_crypt_stop();
	if (self->buf)
		munmap(self->buf, MCE_PAGE);
}

TEST_F(crypt, once)
{
	bool all = variant->len == MCE_PAGE;
	struct mce_watch w;
	__u8 *copy = NULL;
	int res;

	ASSERT_EQ(0, posix_memalign((void **)&copy, MCE_PAGE, MCE_PAGE));
	meet(_metadata, self->buf + BAD);
	mce_watch_start(&w);
	res = ring_do(&self->ring, variant->op, self->fd, self->buf, variant->len, 0);
	mce_watch_end(&w, 0);
	mce_outcome("crypt: %d, %ld #MC", res, w.mcs);
	EXPECT_STREQ("", w.log);
	EXPECT_LE(w.mcs, 1);
	EXPECT_TRUE(res == (all ? -EIO : (int)variant->len) ||
		    (res == (int)MCE_PAGE && !w.mcs));
	/* The disk has what it had, or what was written, which is the same. */
	EXPECT_EQ((ssize_t)MCE_PAGE, pread(self->fd, copy, MCE_PAGE, 0));
	EXPECT_EQ(-1, mce_differs(copy, MCE_PAGE, SEED, 0));
	free(copy);
}

/*
 * A RAM disk's own page is bad, and is replaced when all of it is overwritten,
 * while somebody else writes a part of it.
 */
#define INJECT	"/sys/kernel/debug/hwpoison/corrupt-pfn"
#define RAM	"/dev/ram2"
#define TIMES	8

static int ram_write(int fd, __u8 *buf, size_t len, off_t off, __u64 seed)
{
	mce_fill(buf, len, seed, off);
	return pwrite(fd, buf, len, off) == (ssize_t)len ? 0 : -errno;
}

TEST_F_TIMEOUT(harm, ramdisk_writers, 90)
{
	int i, fd, err = 0, *stop, status;
	__u8 *buf = NULL, mark[MCE_LINE];
	struct mce_watch w;
	char text[32];
	__u64 phys;
	pid_t pid;

	fd = open(RAM, O_RDWR | O_DIRECT);
	if (fd < 0 || access(INJECT, W_OK))
		SKIP(return, "no RAM disk, or needs CONFIG_HWPOISON_INJECT");
	ASSERT_EQ(0, posix_memalign((void **)&buf, MCE_PAGE, MCE_PAGE));
	stop = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		    -1, 0);
	ASSERT_NE(MAP_FAILED, stop);
	mce_watch_start(&w);
	for (i = 0; i < TIMES && !err; i++) {
		ASSERT_EQ(0, ram_write(fd, buf, MCE_PAGE, 0, SEED + i));
		memcpy(mark, buf + 1024, sizeof(mark));
		memset(buf, 0, MCE_PAGE);
		/* Where a bad page is not replaced, it is not found another time. */
		err = mce_find_driver_copy(mark, sizeof(mark), &phys) != 1;
		if (err)
			break;
		memset(mark, 0, sizeof(mark));
		snprintf(text, sizeof(text), "%#llx", (unsigned long long)phys / MCE_PAGE);
		/* It says that it cannot take the page away, and marks it. */
		mce_put(INJECT, text);
		*stop = 0;
		pid = fork();
		if (!pid) {
			while (!__atomic_load_n(stop, __ATOMIC_RELAXED))
				ram_write(fd, buf, 512, 7 * 512, SEED);
			_exit(0);
		}
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
		EXPECT_EQ(0, ram_write(fd, buf, MCE_PAGE, 0, SEED + 100 + i));
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
		__atomic_store_n(stop, 1, __ATOMIC_RELAXED);
		EXPECT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
		EXPECT_EQ((ssize_t)MCE_PAGE, pread(fd, buf, MCE_PAGE, 0));
		EXPECT_EQ(-1, mce_differs(buf, 7 * 512, SEED + 100 + i, 0));
	}
	mce_watch_end(&w, 0);
	if (!i)
		SKIP(return, "cannot find the disk's page");
	mce_outcome("%d times: %ld #MC, %s", i, w.mcs, w.log[0] ? w.log : "quiet");
	EXPECT_EQ(0, w.mcs);
	munmap(stop, MCE_PAGE);
	free(buf);
	close(fd);
}

/* Good bytes of a bad page go from a pipe to a socket, which sums them. */
FIXTURE(sum)
{
	struct mce_file file;
	int pipe[2];
	int from, to;
};

FIXTURE_VARIANT(sum)
{
	bool clean;		/* else the pipe has a page of the program */
	size_t start, len;	/* what is sent */
};

FIXTURE_VARIANT_ADD(sum, front_of_clean)
{
	.clean = true,
	.len = 1000,
};

FIXTURE_VARIANT_ADD(sum, front)
{
	.len = 1000,
};

/* The last word of the sum has its first byte in front of the line, only. */
FIXTURE_VARIANT_ADD(sum, up_to_the_line)
{
	.clean = true,
	.start = 1001,
	.len = BAD - 1001,
};

FIXTURE_VARIANT_ADD(sum, behind)
{
	.clean = true,
	.start = BAD + MCE_LINE,
	.len = 777,
};

FIXTURE_SETUP(sum)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);
	int err;

	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, mce_pin(0));
	err = mce_file_open(&self->file, MCE_FS_EXT4, 4, 1, SEED);
	if (err == -ENOENT)
		SKIP(return, "no directory on ext4");
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, pipe(self->pipe));
	self->to = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	self->from = socket(AF_INET, SOCK_DGRAM, 0);
	ASSERT_EQ(0, bind(self->to, (void *)&addr, len));
	ASSERT_EQ(0, getsockname(self->to, (void *)&addr, &len));
	ASSERT_EQ(0, connect(self->from, (void *)&addr, len));
}

FIXTURE_TEARDOWN(sum)
{
	mce_file_close(&self->file);
	close(self->pipe[0]);
	close(self->pipe[1]);
	close(self->from);
	close(self->to);
}

TEST_F(sum, splice_to_udp)
{
	loff_t off = variant->start;
	__u8 got[MCE_PAGE];
	struct iovec iov;
	__u8 *page;
	ssize_t n;

	if (variant->clean) {
		page = mmap(NULL, MCE_PAGE, PROT_READ, MAP_SHARED, self->file.fd, 0);
		ASSERT_NE(MAP_FAILED, page);
		ASSERT_EQ((ssize_t)variant->len,
			  splice(self->file.fd, &off, self->pipe[1], NULL,
				 variant->len, 0));
	} else {
		page = anon(1);
		ASSERT_NE(NULL, page);
		iov.iov_base = page + variant->start;
		iov.iov_len = variant->len;
		ASSERT_EQ((ssize_t)variant->len, vmsplice(self->pipe[1], &iov, 1, 0));
	}
	meet(_metadata, page + BAD);

	/* With more to come, nobody leaves the sum to the device. */
	n = splice(self->pipe[0], NULL, self->from, NULL, variant->len, SPLICE_F_MORE);
	EXPECT_EQ((ssize_t)variant->len, n);
	EXPECT_EQ(0, send(self->from, "", 0, 0));
	n = recv(self->to, got, sizeof(got), 0);
	mce_outcome("sum: %zd bytes of %zu", n, variant->len);
	EXPECT_EQ((ssize_t)variant->len, n);
	EXPECT_EQ(-1, mce_differs(got, variant->len, SEED, variant->start));
	munmap(page, MCE_PAGE);
}

/* A dirty page that cannot be taken from its file: somebody has all of it. */
TEST_F(harm, tail_of_an_xfs_file)
{
	struct mce_watch w;
	struct mce_file f;
	loff_t off = 0;
	ssize_t ret;
	int err, p[2];

	err = mce_file_open(&f, MCE_FS_XFS, 16, 16, SEED);
	if (err == -ENOENT)
		SKIP(return, "no directory on xfs");
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, pipe(p));
	mce_fill(f.buf, 16 * MCE_PAGE, SEED, 0);
	ASSERT_EQ(16 * (ssize_t)MCE_PAGE, pwrite(f.fd, f.buf, 16 * MCE_PAGE, 0));
	ASSERT_EQ(100, splice(f.fd, &off, p[1], NULL, 100, 0));
	ASSERT_EQ(0, mce_arm_file(f.fd, 5 * MCE_PAGE + BAD, NULL));

	mce_watch_start(&w);
	ret = pread(f.fd, f.buf, MCE_PAGE, 5 * MCE_PAGE);
	err = errno;
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EIO, err);
	EXPECT_EQ(0, ftruncate(f.fd, 5 * MCE_PAGE + 1024));
	ret = fsync(f.fd);
	mce_watch_end(&w, 1);
	mce_outcome("tail: fsync: %s, %ld #MC", ret ? mce_errname(errno) : "fine",
		    w.mcs);
	EXPECT_EQ(1, w.mcs);
	EXPECT_STREQ("", w.log);
	close(p[0]);
	close(p[1]);
	mce_file_close(&f);
}

/* A file system has a page of its device in use, and a program maps it. */
TEST_F(harm, block_of_mounted)
{
	char dir[] = "/tmp/mce-harm-XXXXXX";
	__u8 *map;
	int fd, ret;

	if (system("mke2fs -b 1024 /dev/ram3 >/dev/null 2>&1"))
		SKIP(return, "no mke2fs, or no RAM disk");
	ASSERT_NE(NULL, mkdtemp(dir));
	if (mount("/dev/ram3", dir, "ext2", 0, NULL) &&
	    mount("/dev/ram3", dir, "ext4", 0, NULL)) {
		rmdir(dir);
		SKIP(return, "no ext2");
	}
	fd = open("/dev/ram3", O_RDONLY);
	map = mmap(NULL, MCE_PAGE, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	sync();
	/* Block 0 is nobody's, the super block is block 1. */
	meet(_metadata, map);
	ret = mount(NULL, dir, NULL, MS_REMOUNT | MS_RDONLY, NULL);
	mce_outcome("remount: %s", ret ? mce_errname(errno) : "fine");
	/* That a page of the device was lost may have to be told. */
	EXPECT_TRUE(!ret || errno == EIO);
	munmap(map, MCE_PAGE);
	close(fd);
	EXPECT_EQ(0, umount(dir));
	rmdir(dir);
}

/* A page of a file that does not let go of it, with something to be written */
TEST_F_TIMEOUT(harm, write_to_fuse, 60)
{
	struct fuse_mount m = { .flags = 0 };
	loff_t off = 0;
	int fd, p[2], ret;
	__u8 *map, *buf;
	pid_t pid;

	if (fuse_start(&m))
		SKIP(return, "no FUSE");
	fd = open(m.path, O_RDWR | O_CLOEXEC);
	buf = anon(3);
	ASSERT_EQ(3 * (ssize_t)MCE_PAGE, pwrite(fd, buf, 3 * MCE_PAGE, 0));
	ASSERT_EQ(0, pipe(p));
	ASSERT_EQ(100, splice(fd, &off, p[1], NULL, 100, 0));
	map = mmap(NULL, MCE_PAGE, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	meet(_metadata, map + BAD);

	pid = fork();
	if (!pid) {
		ret = pwrite(fd, "bytes", 5, 0);
		_exit(ret < 0 ? errno : ret == 5 ? 0 : 255);
	}
	ret = await(pid);
	mce_outcome("write: %s", !ret ? "5 bytes" : ret < 0 ? "KILLED" : mce_errname(ret));
	EXPECT_EQ(0, ret);
	close(p[0]);
	close(p[1]);
	close(fd);
	munmap(map, MCE_PAGE);
	fuse_stop(&m);
}

/* A block of memory goes offline, and a page of it is bad, which nobody knew. */
#define MEMORY	"/sys/devices/system/memory/"

static int block_put(int block, const char *state)
{
	char path[64];

	snprintf(path, sizeof(path), MEMORY "memory%d/state", block);
	return mce_put(path, state);
}

static size_t block_size(void)
{
	char text[32] = "";
	int fd = open(MEMORY "block_size_bytes", O_RDONLY);

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return strtoull(text, NULL, 16);
}

/* A block without anything but what is going to be put there, or -1. */
static int block_empty(void)
{
	char path[64];
	int block;

	for (block = 63; block > 0; block--) {
		snprintf(path, sizeof(path), MEMORY "memory%d", block);
		if (access(path, F_OK) || block_put(block, "offline"))
			continue;
		return block_put(block, "online_movable") ? -1 : block;
	}
	return -1;
}

#define LOTS	16384		/* pages */

TEST_F_TIMEOUT(harm, memory_offline, 120)
{
	size_t size = block_size();
	struct mce_watch w;
	__u64 phys = 0;
	int block, ret;
	__u8 *buf, *bad;
	pid_t pid;

	block = size ? block_empty() : -1;
	if (block < 0)
		SKIP(return, "no memory that can be taken away");
	buf = anon(LOTS);
	ASSERT_NE(NULL, buf);
	for (bad = buf; bad < buf + LOTS * MCE_PAGE; bad += MCE_PAGE) {
		if (!mce_phys(bad, &phys) && phys / size == (__u64)block)
			break;
	}
	ASSERT_LT(bad, buf + LOTS * MCE_PAGE);
	ASSERT_EQ(0, mce_arm(bad + BAD, &phys));

	mce_watch_start(&w);
	pid = fork();
	if (!pid)
		_exit(block_put(block, "offline") ? 1 : 0);
	ret = await(pid);
	mce_watch_end(&w, 1);
	mce_outcome("offline: %s, %ld #MC", ret == -ETIMEDOUT ? "NEVER ENDS" :
		    ret ? "failed" : "fine", w.mcs);
	EXPECT_EQ(0, ret);
	EXPECT_EQ(mce_expected("MCE_EXPECT_MCS", 1), w.mcs);
	EXPECT_EQ(-1, mce_differs(buf, bad - buf, SEED, 0));
	EXPECT_FALSE(mce_load(bad + BAD, NULL, NULL));
	munmap(buf, LOTS * MCE_PAGE);
	block_put(block, "online");
}

/* A stack at its limit, and a signal: nothing to do with memory errors. */
static void overflow(int sig)
{
	(void)sig;
}

static __attribute__((noinline)) long dive(volatile char *above, long depth)
{
	volatile char here[4096];

	here[0] = above[0];
	return depth ? dive(here, depth - 1) + here[0] : 0;
}

/* Lines of the kernel's log since @kmsg was positioned that have @what */
static int log_count(int kmsg, const char *what)
{
	char text[2048];
	int n = 0;
	ssize_t len;

	while ((len = read(kmsg, text, sizeof(text) - 1)) > 0 || errno == EPIPE) {
		if (len < 0)
			continue;
		text[len] = '\0';
		n += !!strstr(text, what);
	}
	return n;
}

TEST_F(harm, stack_overflow)
{
	struct rlimit limit = { 1 << 20, 1 << 20 };
	struct sigaction act = { .sa_handler = overflow };
	char first = 0;
	int kmsg, ret, n;
	pid_t pid;

	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	ASSERT_LE(0, kmsg);
	lseek(kmsg, 0, SEEK_END);
	pid = fork();
	if (!pid) {
		setrlimit(RLIMIT_STACK, &limit);
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
		sigaction(SIGSEGV, &act, NULL);
		_exit(dive(&first, LONG_MAX));
	}
	ret = await(pid);
	n = log_count(kmsg, "GUP no longer grows");
	mce_outcome("stack overflow: signal %d, %d complaints", -ret, n);
	EXPECT_EQ(-SIGSEGV, ret);
	EXPECT_EQ(0, n);
	close(kmsg);
}

/* A debugger reads memory that a driver has mapped, and no kernel knows. */
TEST_F(harm, dev_mem)
{
	const __u64 phys = 0x20000;
	struct mce_watch w;
	int fd, mem;
	ssize_t ret;
	__u8 *map, got[MCE_PAGE];
	int err;

	fd = open("/dev/mem", O_RDONLY);
	if (fd < 0)
		SKIP(return, "no /dev/mem");
	map = mmap(NULL, MCE_PAGE, PROT_READ, MAP_SHARED, fd, phys);
	if (map == MAP_FAILED)
		SKIP(return, "/dev/mem is restricted");
	mem = open("/proc/self/mem", O_RDONLY);
	ASSERT_LE(0, mem);
	ASSERT_EQ(64, pread(mem, got, 64, (off_t)(unsigned long)map));
	ASSERT_EQ(0, mce_arm_phys(phys + BAD));
	mce_watch_start(&w);
	ret = pread(mem, got, MCE_PAGE, (off_t)(unsigned long)map);
	err = errno;
	mce_watch_end(&w, 0);
	mce_tell(&w, "dev_mem", ret, err);
	EXPECT_EQ((ssize_t)BAD, ret);
	EXPECT_EQ(1, w.mcs);
	EXPECT_STREQ("", w.log);
	munmap(map, MCE_PAGE);
	close(mem);
	close(fd);
}

#include "mce_main.h"
