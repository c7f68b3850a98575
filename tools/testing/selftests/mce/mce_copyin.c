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
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_lib.h"

#define SEED	0x2002
#define NPAGES	4

static sig_atomic_t signals;

static void on_signal(int sig)
{
	(void)sig;
	__atomic_add_fetch(&signals, 1, __ATOMIC_SEQ_CST);
}

/* What every case here has in common, once the call has returned. */
static void check_consumed(struct __test_metadata *const _metadata,
			   struct mce_watch *w, const __u8 *bad,
			   __u64 old, const char *what, long ret, int err)
{
	int signalled = __atomic_load_n(&signals, __ATOMIC_SEQ_CST);
	struct mce_sigbus sb;

	mce_watch_end(w, 1);
	if (ret < 0)
		mce_outcome("%s: -%s, %ld #MC%s", what, mce_errname(err),
			    w->mcs, signalled ? ", SIGBUS" : "");
	else
		mce_outcome("%s: returned %ld, %ld #MC%s", what, ret, w->mcs,
			    signalled ? ", SIGBUS" : "");
	EXPECT_EQ(mce_expected("MCE_EXPECT_MCS", 1), w->mcs);
	EXPECT_EQ(1, w->offlined);
	EXPECT_STREQ("", w->log);
	EXPECT_EQ(0, signalled);
	EXPECT_TRUE(mce_page_offlined(old));

	/* Now the program itself. */
	mce_watch_start(w);
	EXPECT_FALSE(mce_load(bad, NULL, &sb));
	mce_watch_end(w, 0);
	EXPECT_EQ(0, w->mcs);
	EXPECT_EQ(1, sb.count);
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_EQ(12, sb.lsb);
	EXPECT_TRUE(mce_sigbus_covers(&sb, bad));
}

static __u8 *anon_pages(void)
{
	struct sigaction act = { .sa_handler = on_signal };
	__u8 *buf;

	sigaction(SIGBUS, &act, NULL);
	buf = mmap(NULL, NPAGES * MCE_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buf != MAP_FAILED)
		mce_fill(buf, NPAGES * MCE_PAGE, SEED, 0);
	return buf;
}

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
	self->buf = anon_pages();
	ASSERT_NE(MAP_FAILED, self->buf);
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
	check_consumed(_metadata, &w, bad, old, "write(2)", ret, err);

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
	self->buf = anon_pages();
	ASSERT_NE(MAP_FAILED, self->buf);
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
	check_consumed(_metadata, &w, bad, old, "write(2)", ret, err);

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
	buf = anon_pages();
	ASSERT_NE(MAP_FAILED, buf);
	*(__u32 *)(buf + MCE_PAGE) = 42;
	ASSERT_EQ(0, mce_arm(buf + MCE_PAGE, &old));
	mce_watch_start(&w);
	ret = syscall(SYS_futex, buf + MCE_PAGE, FUTEX_WAIT_PRIVATE, 42, &soon,
		      NULL, 0);
	err = errno;
	check_consumed(_metadata, &w, buf + MCE_PAGE, old, "FUTEX_WAIT", ret, err);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EFAULT, err);
	mce_retire();
}

#include "mce_main.h"
