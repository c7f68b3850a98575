// SPDX-License-Identifier: GPL-2.0
/*
 * A pipe buffer goes bad.
 *
 * The data in it is lost, nobody has another copy, except where the buffer is a
 * clean page of a file. The reader gets what was in front of the bad line, then
 * -EIO once, then what is behind the buffer: no byte is missing without a word,
 * and the pipe works.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_9p.h"
#include "mce_fuse.h"
#include "mce_lib.h"

#define SEED	0x7007
#define BAD	1024			/* the bad line's offset in its page */

FIXTURE(pipe)
{
	int rd, wr;
	__u8 *src;		/* three pages, the second of which goes bad */
	__u8 *dst;
	__u64 phys;
};

FIXTURE_SETUP(pipe)
{
	int fds[2];

	ASSERT_EQ(0, mce_pin(0));
	ASSERT_EQ(0, pipe2(fds, O_NONBLOCK));
	self->rd = fds[0];
	self->wr = fds[1];
	self->src = mmap(NULL, 6 * MCE_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, self->src);
	self->dst = self->src + 3 * MCE_PAGE;
	mce_fill(self->src, 3 * MCE_PAGE, SEED, 0);
}

FIXTURE_TEARDOWN(pipe)
{
	mce_retire();
	close(self->rd);
	close(self->wr);
	munmap(self->src, 6 * MCE_PAGE);
}

static void say(const char *what, ssize_t ret, int err, long mcs)
{
	if (ret < 0)
		mce_outcome("%s: -%s, %ld #MC", what, mce_errname(err), mcs);
	else
		mce_outcome("%s: %zd bytes, %ld #MC", what, ret, mcs);
}

static int poll_in(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1 && pfd.revents & POLLIN;
}

/*
 * Three buffers in the pipe, of one page each, of which the second one is the
 * kernel's page @phys or a page of this program.
 */
static void fill_pipe(struct __test_metadata *const _metadata, int wr,
		      __u8 *src, bool spliced, __u64 *phys)
{
	struct iovec iov = { src + MCE_PAGE, MCE_PAGE };
	__u64 pattern;

	ASSERT_EQ((ssize_t)MCE_PAGE, write(wr, src, MCE_PAGE));
	if (spliced) {
		ASSERT_EQ((ssize_t)MCE_PAGE, vmsplice(wr, &iov, 1, 0));
		ASSERT_EQ(0, mce_arm(src + MCE_PAGE + BAD, phys));
	} else {
		pattern = mce_pattern(src + MCE_PAGE, MCE_PAGE);
		ASSERT_EQ((ssize_t)MCE_PAGE, write(wr, src + MCE_PAGE, MCE_PAGE));
		mce_fill(src + MCE_PAGE, MCE_PAGE, SEED, MCE_PAGE);
		ASSERT_LE(1, mce_find_line(pattern, phys));
		ASSERT_EQ(0, mce_arm_phys(*phys));
	}
	ASSERT_EQ((ssize_t)MCE_PAGE,
		  write(wr, src + 2 * MCE_PAGE, MCE_PAGE));
}

/* All that the pipe has, by one read(2) after the other. */
static void drain(struct __test_metadata *const _metadata, int rd, __u8 *dst,
		  size_t good, __u64 phys)
{
	struct mce_watch w;
	ssize_t ret;
	int err;

	memset(dst, 0xee, 3 * MCE_PAGE);
	mce_watch_start(&w);
	ret = read(rd, dst, 3 * MCE_PAGE);
	err = errno;
	mce_watch_end(&w, 1);
	say("read", ret, err, w.mcs);
	ASSERT_EQ((ssize_t)(MCE_PAGE + good), ret);
	EXPECT_EQ(-1, mce_differs(dst, MCE_PAGE, SEED, 0));
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(phys));

	/* The error has its place in the stream, and is told once. */
	mce_watch_start(&w);
	EXPECT_TRUE(poll_in(rd));
	EXPECT_EQ(-1, read(rd, dst, 3 * MCE_PAGE));
	EXPECT_EQ(EIO, errno);
	EXPECT_TRUE(poll_in(rd));
	EXPECT_EQ((ssize_t)MCE_PAGE, read(rd, dst, 3 * MCE_PAGE));
	EXPECT_EQ(-1, mce_differs(dst, MCE_PAGE, SEED, 2 * MCE_PAGE));
	EXPECT_FALSE(poll_in(rd));
	EXPECT_EQ(-1, read(rd, dst, 1));
	EXPECT_EQ(EAGAIN, errno);
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
	EXPECT_STREQ("", w.log);
}

/* The pipe is as good as new, whatever memory it uses now. */
static void still_works(struct __test_metadata *const _metadata, int rd, int wr,
			__u8 *src, __u8 *dst)
{
	struct mce_watch w;
	int i;

	mce_watch_start(&w);
	mce_fill(src, MCE_PAGE, SEED, 0);
	for (i = 0; i < 64; i++) {
		ASSERT_EQ((ssize_t)MCE_PAGE, write(wr, src, MCE_PAGE));
		ASSERT_EQ((ssize_t)MCE_PAGE, read(rd, dst, MCE_PAGE));
		ASSERT_EQ(-1, mce_differs(dst, MCE_PAGE, SEED, 0));
	}
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
	EXPECT_STREQ("", w.log);
}

/* A buffer in the kernel's own memory. */
TEST_F(pipe, kernel_page)
{
	fill_pipe(_metadata, self->wr, self->src, false, &self->phys);
	drain(_metadata, self->rd, self->dst, self->phys % MCE_PAGE, self->phys);
	still_works(_metadata, self->rd, self->wr, self->src, self->dst);
}

/* The bad buffer is the first one: the error comes at once. */
TEST_F(pipe, at_the_head)
{
	struct mce_watch w;
	__u64 pattern;
	ssize_t ret;
	int err;

	pattern = mce_pattern(self->src, MCE_PAGE);
	ASSERT_EQ((ssize_t)MCE_PAGE, write(self->wr, self->src, MCE_PAGE));
	memset(self->src, 0, MCE_PAGE);
	ASSERT_LE(1, mce_find_line(pattern, &self->phys));
	ASSERT_EQ((ssize_t)self->phys % MCE_PAGE,
		  read(self->rd, self->dst, self->phys % MCE_PAGE));
	ASSERT_EQ(0, mce_arm_phys(self->phys));
	ASSERT_EQ((ssize_t)MCE_PAGE, write(self->wr, self->src + 2 * MCE_PAGE,
					   MCE_PAGE));
	mce_watch_start(&w);
	ret = read(self->rd, self->dst, 2 * MCE_PAGE);
	err = errno;
	mce_watch_end(&w, 1);
	say("read", ret, err, w.mcs);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EIO, err);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_EQ((ssize_t)MCE_PAGE, read(self->rd, self->dst, 2 * MCE_PAGE));
	EXPECT_EQ(-1, mce_differs(self->dst, MCE_PAGE, SEED, 2 * MCE_PAGE));
	still_works(_metadata, self->rd, self->wr, self->src, self->dst);
}

/* A page of this program. It hears of it when it touches that itself. */
TEST_F(pipe, vmsplice)
{
	struct mce_sigbus sb;

	fill_pipe(_metadata, self->wr, self->src, true, &self->phys);
	drain(_metadata, self->rd, self->dst, BAD, self->phys);
	EXPECT_FALSE(mce_load(self->src + MCE_PAGE + 5, NULL, &sb));
	EXPECT_EQ(1, sb.count);
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_TRUE(mce_sigbus_covers(&sb, self->src + MCE_PAGE + 5));
	EXPECT_TRUE(mce_load(self->src, NULL, NULL));
}

/* vmsplice(2) at the other end copies as well. */
TEST_F(pipe, vmsplice_to_user)
{
	struct iovec iov = { self->dst, 3 * MCE_PAGE };
	struct mce_watch w;
	ssize_t ret;
	int err;

	fill_pipe(_metadata, self->wr, self->src, false, &self->phys);
	mce_watch_start(&w);
	ret = vmsplice(self->rd, &iov, 1, 0);
	err = errno;
	mce_watch_end(&w, 1);
	say("vmsplice", ret, err, w.mcs);
	EXPECT_EQ((ssize_t)MCE_PAGE, ret);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_EQ(-1, vmsplice(self->rd, &iov, 1, 0));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ((ssize_t)MCE_PAGE, vmsplice(self->rd, &iov, 1, 0));
	EXPECT_EQ(-1, mce_differs(self->dst, MCE_PAGE, SEED, 2 * MCE_PAGE));
}

/* A packet is read as a whole or not at all. */
TEST_F(pipe, packet)
{
	struct mce_watch w;
	ssize_t ret;
	int err;

	ASSERT_EQ(0, fcntl(self->wr, F_SETFL, O_DIRECT | O_NONBLOCK));
	fill_pipe(_metadata, self->wr, self->src, false, &self->phys);
	ASSERT_EQ((ssize_t)MCE_PAGE, read(self->rd, self->dst, 3 * MCE_PAGE));
	mce_watch_start(&w);
	ret = read(self->rd, self->dst, 3 * MCE_PAGE);
	err = errno;
	mce_watch_end(&w, 1);
	say("read", ret, err, w.mcs);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EIO, err);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_EQ((ssize_t)MCE_PAGE, read(self->rd, self->dst, 3 * MCE_PAGE));
	EXPECT_EQ(-1, mce_differs(self->dst, MCE_PAGE, SEED, 2 * MCE_PAGE));
}

/*
 * Two pipes have the same bad page. Each reader gets what is good of it, meets the
 * error, and hears of it.
 */
TEST_F(pipe, tee)
{
	int fds[2];
	size_t good;

	ASSERT_EQ(0, pipe2(fds, O_NONBLOCK));
	fill_pipe(_metadata, self->wr, self->src, false, &self->phys);
	ASSERT_EQ(3 * (ssize_t)MCE_PAGE, tee(self->rd, fds[1], 3 * MCE_PAGE, 0));
	good = self->phys % MCE_PAGE;
	drain(_metadata, self->rd, self->dst, good, self->phys);

	ASSERT_EQ((ssize_t)(MCE_PAGE + good), read(fds[0], self->dst, 3 * MCE_PAGE));
	EXPECT_EQ(-1, mce_differs(self->dst, MCE_PAGE, SEED, 0));
	EXPECT_EQ(-1, read(fds[0], self->dst, 3 * MCE_PAGE));
	EXPECT_EQ(EIO, errno);
	ASSERT_EQ((ssize_t)MCE_PAGE, read(fds[0], self->dst, 3 * MCE_PAGE));
	EXPECT_EQ(-1, mce_differs(self->dst, MCE_PAGE, SEED, 2 * MCE_PAGE));
	close(fds[0]);
	close(fds[1]);
	still_works(_metadata, self->rd, self->wr, self->src, self->dst);
}

/* Who takes nothing out of the pipe gets the reason all the same. */
TEST_F(pipe, tee_of_lost_data)
{
	struct mce_watch w;
	int fds[2];

	ASSERT_EQ(0, pipe2(fds, O_NONBLOCK));
	fill_pipe(_metadata, self->wr, self->src, false, &self->phys);
	ASSERT_EQ((ssize_t)(MCE_PAGE + self->phys % MCE_PAGE),
		  read(self->rd, self->dst, 3 * MCE_PAGE));
	mce_watch_start(&w);
	EXPECT_EQ(-1, tee(self->rd, fds[1], 3 * MCE_PAGE, 0));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(-1, splice(self->rd, NULL, fds[1], NULL, 8, 0));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(-1, read(self->rd, self->dst, 3 * MCE_PAGE));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ((ssize_t)MCE_PAGE, tee(self->rd, fds[1], 3 * MCE_PAGE, 0));
	ASSERT_EQ((ssize_t)MCE_PAGE, read(fds[0], self->dst, 3 * MCE_PAGE));
	EXPECT_EQ(-1, mce_differs(self->dst, MCE_PAGE, SEED, 2 * MCE_PAGE));
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
	close(fds[0]);
	close(fds[1]);
}

/* The pipe's end is a file: what is in front is written, the rest is not. */
static void to_file(struct __test_metadata *const _metadata,
		    struct _test_data_pipe *self, unsigned long fs)
{
	struct mce_file f;
	struct mce_watch w;
	struct stat st;
	ssize_t ret;
	loff_t off = 0;
	int err;

	err = mce_file_open(&f, fs, 4, 1, 1);
	if (err == -ENOENT)
		SKIP(return, "no directory on that file system");
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, ftruncate(f.fd, 0));
	fill_pipe(_metadata, self->wr, self->src, false, &self->phys);
	mce_watch_start(&w);
	ret = splice(self->rd, NULL, f.fd, &off, 3 * MCE_PAGE, 0);
	err = errno;
	mce_watch_end(&w, 1);
	say("splice", ret, err, w.mcs);
	/* At least the good page; some of the bad one where that is possible. */
	EXPECT_GE(ret, (ssize_t)MCE_PAGE);
	EXPECT_LE(ret, (ssize_t)(MCE_PAGE + self->phys % MCE_PAGE));
	EXPECT_EQ(off, ret);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	ASSERT_EQ(0, fstat(f.fd, &st));
	EXPECT_EQ(ret, st.st_size);
	ASSERT_LE((ssize_t)MCE_PAGE, pread(f.fd, self->dst, 3 * MCE_PAGE, 0));
	EXPECT_EQ(-1, mce_differs(self->dst, MCE_PAGE, SEED, 0));

	mce_watch_start(&w);
	EXPECT_EQ(-1, splice(self->rd, NULL, f.fd, &off, 3 * MCE_PAGE, 0));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ((ssize_t)MCE_PAGE,
		  splice(self->rd, NULL, f.fd, &off, 3 * MCE_PAGE, 0));
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
	ASSERT_EQ((ssize_t)MCE_PAGE, pread(f.fd, self->dst, MCE_PAGE,
					   off - MCE_PAGE));
	EXPECT_EQ(-1, mce_differs(self->dst, MCE_PAGE, SEED, 2 * MCE_PAGE));
	mce_file_close(&f);
}

TEST_F(pipe, splice_to_ext4)
{
	to_file(_metadata, self, MCE_FS_EXT4);
}

TEST_F(pipe, splice_to_xfs)
{
	to_file(_metadata, self, MCE_FS_XFS);
}

TEST_F(pipe, splice_to_tmpfs)
{
	to_file(_metadata, self, MCE_FS_TMPFS);
}

/* The same where the file is @path, of which another process has the data. */
static void to_server(struct __test_metadata *const _metadata,
		      struct _test_data_pipe *self, const char *path)
{
	struct mce_watch w;
	ssize_t ret;
	loff_t off = 0;
	int fd, err;

	fd = open(path, O_RDWR);
	ASSERT_GE(fd, 0);

	fill_pipe(_metadata, self->wr, self->src, false, &self->phys);
	mce_watch_start(&w);
	ret = splice(self->rd, NULL, fd, &off, 3 * MCE_PAGE, 0);
	err = errno;
	mce_watch_end(&w, 1);
	say("splice", ret, err, w.mcs);
	EXPECT_GE(ret, (ssize_t)MCE_PAGE);
	EXPECT_LE(ret, (ssize_t)(MCE_PAGE + self->phys % MCE_PAGE));
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_EQ(-1, splice(self->rd, NULL, fd, &off, 3 * MCE_PAGE, 0));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ((ssize_t)MCE_PAGE,
		  splice(self->rd, NULL, fd, &off, 3 * MCE_PAGE, 0));
	EXPECT_EQ(ret + (ssize_t)MCE_PAGE, off);

	close(fd);
}

/* The kernel's side of FUSE has a loop of its own for buffered writes. */
TEST_F_TIMEOUT(pipe, splice_to_fuse, 20)
{
	struct fuse_mount m = { 0 };

	if (fuse_start(&m))
		SKIP(return, "no FUSE");
	to_server(_metadata, self, m.path);
	fuse_stop(&m);
}

/* And network file systems have theirs. */
TEST_F_TIMEOUT(pipe, splice_to_9p, 20)
{
	struct p9_mount m;

	if (p9_start(&m))
		SKIP(return, "no 9P");
	to_server(_metadata, self, m.path);
	p9_stop(&m);
}

/* Nobody ever reads it: the page must not serve anybody else. */
TEST_F(pipe, closed_unread)
{
	struct mce_watch w;
	int fds[2];

	ASSERT_EQ(0, pipe2(fds, O_NONBLOCK));
	fill_pipe(_metadata, fds[1], self->src, false, &self->phys);
	mce_watch_start(&w);
	mce_retire();
	close(fds[0]);
	close(fds[1]);
	mce_watch_end(&w, 1);
	EXPECT_TRUE(mce_page_offlined(self->phys));
	still_works(_metadata, self->rd, self->wr, self->src, self->dst);
}

#include "mce_main.h"
