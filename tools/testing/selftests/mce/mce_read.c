// SPDX-License-Identifier: GPL-2.0
/*
 * read(2) and its relatives meet poison in a clean page of the page cache.
 *
 * The good data is on the disk. The page is dropped and read again, the call
 * returns all of it, and nobody sees an error: not the reader, not a second
 * reader, not a process that has the same page mapped. The bad page goes out
 * of use, and it costs one machine check.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_lib.h"

#define SEED	0x3003
#define NPAGES	64
#define TARGET	21			/* page that goes bad, if it is one */
#define AT	(TARGET * MCE_PAGE)	/* its offset */

#ifndef RWF_NOWAIT
#define RWF_NOWAIT	0x8
#endif

FIXTURE(clean)
{
	struct mce_file t;
};

FIXTURE_VARIANT(clean)
{
	unsigned long fs;
	size_t chunk;		/* pages per write */
	bool large;		/* insist on large folios */
	bool reread;		/* page cache filled by readahead */
};

/* Folios of one page, in the cache since they were written. */
FIXTURE_VARIANT_ADD(clean, ext4)
{
	.fs = MCE_FS_EXT4,
	.chunk = 1,
};

/* The same, brought in by readahead. */
FIXTURE_VARIANT_ADD(clean, ext4_readahead)
{
	.fs = MCE_FS_EXT4,
	.chunk = 1,
	.reread = true,
};

/* Large folios. */
FIXTURE_VARIANT_ADD(clean, xfs_large)
{
	.fs = MCE_FS_XFS,
	.chunk = 16,
	.large = true,
};

FIXTURE_SETUP(clean)
{
	__u64 phys;
	int err;

	ASSERT_EQ(0, mce_pin(0));
	err = mce_file_open(&self->t, variant->fs, NPAGES, variant->chunk, SEED);
	if (err == -ENOENT)
		SKIP(return, "no directory on that file system");
	ASSERT_EQ(0, err);
	if (variant->reread) {
		mce_drop_caches();
		ASSERT_EQ(NPAGES * MCE_PAGE, pread(self->t.fd, self->t.buf,
						   NPAGES * MCE_PAGE, 0));
		memset(self->t.buf, 0xee, NPAGES * MCE_PAGE);
	}
	if (variant->large) {
		ASSERT_EQ(0, mce_file_phys(self->t.fd, AT, &phys));
		if (!mce_page_large(phys))
			SKIP(return, "got no large folio");
	}
}

FIXTURE_TEARDOWN(clean)
{
	mce_file_close(&self->t);
}

static const char *verdict(const __u8 *buf, ssize_t ret, off_t off)
{
	if (ret <= 0)
		return "";
	return mce_differs(buf, ret, SEED, off) < 0 ? ", the right data" :
						      ", WRONG data";
}

static void say(const char *what, ssize_t ret, int err, const __u8 *buf,
		off_t off, long mcs)
{
	if (ret < 0)
		mce_outcome("%s: -%s, %ld #MC", what, mce_errname(err), mcs);
	else
		mce_outcome("%s: %zd bytes%s, %ld #MC", what, ret,
			    verdict(buf, ret, off), mcs);
}

/* The page is out of use, the file has another, nothing complained. */
static void check_healed(struct __test_metadata *const _metadata, int fd,
			 off_t off, __u64 old, const struct mce_watch *w,
			 long mcs, long pages)
{
	__u64 new;

	EXPECT_EQ(mcs, w->mcs);
	EXPECT_EQ(pages, w->offlined);
	EXPECT_STREQ("", w->log);
	EXPECT_TRUE(mce_page_offlined(old));
	ASSERT_EQ(0, mce_file_phys(fd, off, &new));
	EXPECT_NE(old / MCE_PAGE, new / MCE_PAGE);
	EXPECT_FALSE(mce_page_offlined(new));
}

/* One pread(2) of @len bytes at @off, with the line at @bad poisoned. */
static void pread_heals(struct __test_metadata *const _metadata,
			struct mce_file *t, off_t bad, off_t off,
			size_t len)
{
	struct mce_watch w;
	__u64 old;
	ssize_t ret;
	int err;

	ASSERT_EQ(0, mce_arm_file(t->fd, bad, &old));
	mce_watch_start(&w);
	ret = pread(t->fd, t->buf, len, off);
	err = errno;
	mce_watch_end(&w, 1);
	say("pread", ret, err, t->buf, off, w.mcs);
	ASSERT_EQ((ssize_t)len, ret);
	EXPECT_EQ(-1, mce_differs(t->buf, len, SEED, off));
	EXPECT_EQ(0xee, t->buf[len]);
	check_healed(_metadata, t->fd, bad, old, &w, 1, 1);
}

TEST_F(clean, first_line)
{
	pread_heals(_metadata, &self->t, AT, AT, MCE_PAGE);
}

TEST_F(clean, middle_line)
{
	pread_heals(_metadata, &self->t, AT + 1024, AT, MCE_PAGE);
}

TEST_F(clean, last_line)
{
	pread_heals(_metadata, &self->t, AT + MCE_PAGE - 1, AT, MCE_PAGE);
}

TEST_F(clean, whole_file)
{
	pread_heals(_metadata, &self->t, AT + 1024, 0, (NPAGES - 1) * MCE_PAGE);
}

TEST_F(clean, unaligned)
{
	pread_heals(_metadata, &self->t, AT + 1024, AT + 301, 2003);
}

TEST_F(clean, one_byte)
{
	pread_heals(_metadata, &self->t, AT + 1024, AT + 1024 + 63, 1);
}

TEST_F(clean, into_the_line)
{
	pread_heals(_metadata, &self->t, AT + 1024, AT + 1024 - 5, 7);
}

TEST_F(clean, out_of_the_line)
{
	pread_heals(_metadata, &self->t, AT + 1024, AT + 1024 + 60, 100);
}

TEST_F(clean, across_pages)
{
	pread_heals(_metadata, &self->t, AT, AT - 100, 300);
}

/* Reads that end before the line, or begin after it, are none of its business. */
TEST_F(clean, beside)
{
	struct mce_watch w;
	__u64 phys;

	ASSERT_EQ(0, mce_arm_file(self->t.fd, AT + 1024, &phys));
	mce_watch_start(&w);
	EXPECT_EQ(1024, pread(self->t.fd, self->t.buf, 1024, AT));
	EXPECT_EQ(-1, mce_differs(self->t.buf, 1024, SEED, AT));
	EXPECT_EQ(1000, pread(self->t.fd, self->t.buf, 1000, AT + 1024 + MCE_LINE));
	EXPECT_EQ(-1, mce_differs(self->t.buf, 1000, SEED, AT + 1024 + MCE_LINE));
	mce_watch_end(&w, 0);
	mce_outcome("%ld #MC", w.mcs);
	EXPECT_EQ(0, w.mcs);
	EXPECT_EQ(0, w.offlined);
	EXPECT_FALSE(mce_page_offlined(phys));
}

/* read(2) moves the file position by what it returned. */
TEST_F(clean, read)
{
	struct mce_watch w;
	__u64 old;
	ssize_t ret;
	int err;

	ASSERT_EQ(0, mce_arm_file(self->t.fd, AT + 2048, &old));
	ASSERT_EQ(AT, lseek(self->t.fd, AT, SEEK_SET));
	mce_watch_start(&w);
	ret = read(self->t.fd, self->t.buf, MCE_PAGE);
	err = errno;
	mce_watch_end(&w, 1);
	say("read", ret, err, self->t.buf, AT, w.mcs);
	ASSERT_EQ((ssize_t)MCE_PAGE, ret);
	EXPECT_EQ(-1, mce_differs(self->t.buf, MCE_PAGE, SEED, AT));
	EXPECT_EQ(AT + MCE_PAGE, lseek(self->t.fd, 0, SEEK_CUR));
	check_healed(_metadata, self->t.fd, AT, old, &w, 1, 1);
}

/* Several buffers, of which the second takes the bad line. */
TEST_F(clean, preadv)
{
	struct iovec iov[3] = {
		{ self->t.buf, 1000 },
		{ self->t.buf + 2 * MCE_PAGE + 3, 101 },
		{ self->t.buf + 5 * MCE_PAGE, MCE_PAGE },
	};
	size_t len = 1000 + 101 + MCE_PAGE;
	struct mce_watch w;
	__u64 old;
	ssize_t ret;
	int err;

	ASSERT_EQ(0, mce_arm_file(self->t.fd, AT + 1024, &old));
	mce_watch_start(&w);
	ret = preadv(self->t.fd, iov, 3, AT);
	err = errno;
	mce_watch_end(&w, 1);
	if (ret < 0)
		mce_outcome("preadv: -%s, %ld #MC", mce_errname(err), w.mcs);
	else
		mce_outcome("preadv: %zd bytes, %ld #MC", ret, w.mcs);
	ASSERT_EQ((ssize_t)len, ret);
	EXPECT_EQ(-1, mce_differs(iov[0].iov_base, 1000, SEED, AT));
	EXPECT_EQ(-1, mce_differs(iov[1].iov_base, 101, SEED, AT + 1000));
	EXPECT_EQ(-1, mce_differs(iov[2].iov_base, MCE_PAGE, SEED, AT + 1101));
	EXPECT_EQ(0xee, self->t.buf[1000]);
	EXPECT_EQ(0xee, self->t.buf[2 * MCE_PAGE + 3 + 101]);
	check_healed(_metadata, self->t.fd, AT, old, &w, 1, 1);
}

/*
 * A reader that must not sleep may be told to come back; what it gets must be
 * right, and by then the page is out of use.
 */
TEST_F(clean, nowait)
{
	struct iovec iov = { self->t.buf, MCE_PAGE };
	struct mce_watch w;
	__u64 old;
	ssize_t ret;
	int err;

	ASSERT_EQ(0, mce_arm_file(self->t.fd, AT + 1024, &old));
	mce_watch_start(&w);
	ret = preadv2(self->t.fd, &iov, 1, AT, RWF_NOWAIT);
	err = errno;
	mce_watch_end(&w, 1);
	say("RWF_NOWAIT", ret, err, self->t.buf, AT, w.mcs);
	if (ret < 0) {
		if (err == EOPNOTSUPP)
			SKIP(return, "no RWF_NOWAIT on this file system");
		EXPECT_EQ(EAGAIN, err);
	} else {
		EXPECT_TRUE(ret == 1024 || ret == (ssize_t)MCE_PAGE);
		EXPECT_EQ(-1, mce_differs(self->t.buf, ret, SEED, AT));
	}
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	ASSERT_EQ((ssize_t)MCE_PAGE, pread(self->t.fd, self->t.buf, MCE_PAGE, AT));
	EXPECT_EQ(-1, mce_differs(self->t.buf, MCE_PAGE, SEED, AT));
	mce_watch_end(&w, 1);
	check_healed(_metadata, self->t.fd, AT, old, &w, 1, 1);
}

TEST_F(clean, io_uring)
{
	struct mce_watch w;
	__u64 old;
	int ret;

	ASSERT_EQ(0, mce_arm_file(self->t.fd, AT + 1024, &old));
	mce_watch_start(&w);
	ret = mce_uring_read(self->t.fd, self->t.buf, MCE_PAGE, AT);
	if (ret == -EOPNOTSUPP)
		SKIP(return, "no io_uring");
	mce_watch_end(&w, 1);
	say("io_uring read", ret, -ret, self->t.buf, AT, w.mcs);
	ASSERT_EQ((int)MCE_PAGE, ret);
	EXPECT_EQ(-1, mce_differs(self->t.buf, MCE_PAGE, SEED, AT));
	check_healed(_metadata, self->t.fd, AT, old, &w, 1, 1);
}

/* The reader has the page mapped as well. */
TEST_F(clean, mapped_by_reader)
{
	struct mce_watch w;
	__u64 old;
	__u8 *map, val;
	ssize_t ret;
	int err;

	map = mmap(NULL, MCE_PAGE, PROT_READ, MAP_SHARED, self->t.fd, AT);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(-1, mce_differs(map, MCE_PAGE, SEED, AT));
	ASSERT_EQ(0, mce_arm(map + 1024, &old));
	mce_watch_start(&w);
	ret = pread(self->t.fd, self->t.buf, MCE_PAGE, AT);
	err = errno;
	mce_watch_end(&w, 1);
	say("pread", ret, err, self->t.buf, AT, w.mcs);
	ASSERT_EQ((ssize_t)MCE_PAGE, ret);
	EXPECT_EQ(-1, mce_differs(self->t.buf, MCE_PAGE, SEED, AT));
	ASSERT_TRUE(mce_load(map + 1024, &val, NULL));
	EXPECT_EQ(-1, mce_differs(map, MCE_PAGE, SEED, AT));
	check_healed(_metadata, self->t.fd, AT, old, &w, 1, 1);
	munmap(map, MCE_PAGE);
}

static void bystander_unhurt(struct __test_metadata *const _metadata,
			     struct mce_file *t, bool early)
{
	struct mce_bystander b = { 0 };
	struct mce_watch w;
	__u64 old;
	ssize_t ret;
	int err;

	ASSERT_EQ(0, mce_bystander_start(&b, t->path, AT, early));
	ASSERT_EQ(0, mce_arm_file(t->fd, AT + 1024, &old));
	mce_watch_start(&w);
	ret = pread(t->fd, t->buf, MCE_PAGE, AT);
	err = errno;
	mce_watch_end(&w, 1);
	say("pread", ret, err, t->buf, AT, w.mcs);
	EXPECT_EQ((ssize_t)MCE_PAGE, ret);
	EXPECT_EQ(-1, mce_differs(t->buf, MCE_PAGE, SEED, AT));
	EXPECT_EQ(0, mce_bystander_ask(&b, SEED));
	mce_bystander_stop(&b);
	check_healed(_metadata, t->fd, AT, old, &w, 1, 1);
}

/* Somebody else has the page mapped: no signal, and the right data. */
TEST_F(clean, bystander)
{
	bystander_unhurt(_metadata, &self->t, false);
}

TEST_F(clean, bystander_early)
{
	bystander_unhurt(_metadata, &self->t, true);
}

/* Several bad pages in one window: each costs one machine check. */
TEST_F(clean, twelve_pages)
{
	__u64 old[12];
	struct mce_watch w;
	ssize_t ret;
	int err, i;

	if (mce_block_size(variant->fs) > 4 * MCE_PAGE)
		SKIP(return, "some of the pages are of one block");
	for (i = 0; i < 12; i++)
		ASSERT_EQ(0, mce_arm_file(self->t.fd, (5 * i + 2) * MCE_PAGE +
					  i * 5 * MCE_LINE, &old[i]));
	mce_watch_start(&w);
	ret = pread(self->t.fd, self->t.buf, NPAGES * MCE_PAGE, 0);
	err = errno;
	mce_watch_end(&w, 12);
	say("pread", ret, err, self->t.buf, 0, w.mcs);
	ASSERT_EQ(NPAGES * (ssize_t)MCE_PAGE, ret);
	EXPECT_EQ(-1, mce_differs(self->t.buf, NPAGES * MCE_PAGE, SEED, 0));
	for (i = 0; i < 12; i++)
		EXPECT_TRUE(mce_page_offlined(old[i]));
	check_healed(_metadata, self->t.fd, 2 * MCE_PAGE, old[0], &w, 12, 12);
}

/* The page that replaced a bad one can go bad as well. */
TEST_F(clean, again_and_again)
{
	struct mce_watch w;
	__u64 old = 0;
	int i;

	mce_watch_start(&w);
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, mce_arm_file(self->t.fd, AT + 1024, &old));
		memset(self->t.buf, 0xee, MCE_PAGE);
		ASSERT_EQ((ssize_t)MCE_PAGE,
			  pread(self->t.fd, self->t.buf, MCE_PAGE, AT));
		EXPECT_EQ(-1, mce_differs(self->t.buf, MCE_PAGE, SEED, AT));
	}
	mce_watch_end(&w, 5);
	mce_outcome("5 times: %ld #MC", w.mcs);
	check_healed(_metadata, self->t.fd, AT, old, &w, 5, 5);
}

/* Memory that the racers share with whoever gives the signal. */
struct start_line {
	int ready;
	int round;
};

#define ROUNDS	50

/* Returns how many reads went wrong. */
static int racer(const char *path, int cpu, int flags, struct start_line *line)
{
	__u8 *buf;
	int fd, round, bad = 0;
	off_t off;
	ssize_t ret;

	buf = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	fd = open(path, O_RDONLY | flags);
	if (fd < 0 || buf == MAP_FAILED || mce_pin(cpu))
		return ROUNDS;
	for (round = 1; round <= ROUNDS; round++) {
		off = round * MCE_PAGE;
		__atomic_add_fetch(&line->ready, 1, __ATOMIC_SEQ_CST);
		while (__atomic_load_n(&line->round, __ATOMIC_SEQ_CST) < round)
			;
		ret = pread(fd, buf, MCE_PAGE, off);
		if (ret != (ssize_t)MCE_PAGE ||
		    mce_differs(buf, MCE_PAGE, SEED, off) >= 0) {
			printf("# round %d, CPU %d: %zd %s\n", round, cpu, ret,
			       ret < 0 ? mce_errname(errno) : "");
			bad++;
		}
	}
	return bad;
}

/* Two readers on two CPUs want the same page, the second with @flags. */
static void race(struct __test_metadata *const _metadata, struct mce_file *t,
		 int flags)
{
	struct start_line *line;
	struct mce_watch w;
	int i, round, status, wrong = 0;
	pid_t pid[2];

	if (mce_pin(1))
		SKIP(return, "needs two CPUs");
	ASSERT_EQ(0, mce_pin(0));
	line = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, line);
	for (i = 0; i < 2; i++) {
		pid[i] = fork();
		ASSERT_GE(pid[i], 0);
		if (!pid[i])
			_exit(racer(t->path, i, i ? flags : 0, line));
	}
	mce_watch_start(&w);
	for (round = 1; round <= ROUNDS; round++) {
		/*
		 * Both must be done with the last page: to heal that may drop
		 * a large folio, and the next page with it.
		 */
		while (__atomic_load_n(&line->ready, __ATOMIC_SEQ_CST) < 2 * round)
			sched_yield();
		ASSERT_EQ(0, mce_arm_file(t->fd, round * MCE_PAGE + 1024, NULL));
		__atomic_store_n(&line->round, round, __ATOMIC_SEQ_CST);
	}
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(pid[i], waitpid(pid[i], &status, 0));
		ASSERT_TRUE(WIFEXITED(status));
		wrong += WEXITSTATUS(status);
	}
	mce_watch_end(&w, ROUNDS);
	mce_outcome("%d of %d reads wrong, %ld #MC", wrong, 2 * ROUNDS, w.mcs);
	EXPECT_EQ(0, wrong);
	EXPECT_EQ(ROUNDS, w.offlined);
	EXPECT_STREQ("", w.log);
	if (mce_counts_exactly()) {
		EXPECT_GE(w.mcs, ROUNDS);
		EXPECT_LE(w.mcs, 2 * ROUNDS);
	}
	munmap(line, MCE_PAGE);
}

TEST_F_TIMEOUT(clean, two_readers, 120)
{
	race(_metadata, &self->t, 0);
}

/* One of them goes past the cache, where the data is good all the time. */
TEST_F_TIMEOUT(clean, direct_reader, 120)
{
	race(_metadata, &self->t, O_DIRECT);
}

/*
 * The page cache of a block device. Only read from: the device below ext4,
 * somewhere in the middle, where nothing is cached. What should be there is
 * what O_DIRECT finds.
 */
TEST(block_device)
{
	char dir[PATH_MAX], path[64];
	unsigned char resident;
	struct mce_watch w;
	__u8 *buf, *map;
	ssize_t ret;
	struct stat st;
	__u64 old, new;
	int fd, direct, err;
	off_t off;

	ASSERT_EQ(0, mce_pin(0));
	if (!mce_dir_on(MCE_FS_EXT4, dir, sizeof(dir)) || stat(dir, &st))
		SKIP(return, "no directory on ext4");
	snprintf(path, sizeof(path), "/tmp/mce-bdev-%d", getpid());
	ASSERT_EQ(0, mknod(path, S_IFBLK | 0600, st.st_dev));
	fd = open(path, O_RDONLY);
	direct = open(path, O_RDONLY | O_DIRECT);
	unlink(path);
	if (fd < 0 || direct < 0)
		SKIP(return, "cannot open the device below ext4");
	buf = mmap(NULL, 2 * MCE_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, buf);

	off = lseek(fd, 0, SEEK_END) / 10 * 6 & ~(off_t)(MCE_PAGE - 1);
	for (;; off += 64 * MCE_PAGE) {
		map = mmap(NULL, MCE_PAGE, PROT_READ, MAP_SHARED, fd, off);
		ASSERT_NE(MAP_FAILED, map);
		ASSERT_EQ(0, mincore(map, MCE_PAGE, &resident));
		munmap(map, MCE_PAGE);
		if (!(resident & 1))
			break;
	}
	ASSERT_EQ((ssize_t)MCE_PAGE, pread(direct, buf, MCE_PAGE, off));

	ASSERT_EQ(0, mce_arm_file(fd, off + 1024, &old));
	mce_watch_start(&w);
	ret = pread(fd, buf + MCE_PAGE, MCE_PAGE, off);
	err = errno;
	mce_watch_end(&w, 1);
	if (ret < 0)
		mce_outcome("pread: -%s, %ld #MC", mce_errname(err), w.mcs);
	EXPECT_EQ((ssize_t)MCE_PAGE, ret);
	EXPECT_EQ(0, memcmp(buf, buf + MCE_PAGE, MCE_PAGE));
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(old));
	EXPECT_EQ(0, mce_file_phys(fd, off, &new));
	EXPECT_NE(old / MCE_PAGE, new / MCE_PAGE);
	mce_retire();
	close(direct);
	close(fd);
}

/* tmpfs keeps a long one in a page, and walks it there. */
TEST(symbolic_link)
{
	char dir[PATH_MAX - 64], path[PATH_MAX], target[3000], mark[128];
	struct mce_watch w;
	__u64 phys;
	int i, err;

	ASSERT_EQ(0, mce_pin(0));
	if (!mce_dir_on(MCE_FS_TMPFS, dir, sizeof(dir)))
		SKIP(return, "no directory on tmpfs");
	snprintf(path, sizeof(path), "%s/mce-link-%d", dir, getpid());
	/* Letters, and a slash now and then */
	mce_pattern(target, sizeof(target));
	for (i = 0; i < (int)sizeof(target) - 1; i++)
		target[i] = i % 100 ? 'a' + (target[i % 97] + i) % 26U : '/';
	target[i] = '\0';
	ASSERT_EQ(0, symlink(target, path));
	memcpy(mark, target + 1024, sizeof(mark));
	memset(target, 0, sizeof(target));
	ASSERT_EQ(1, mce_find_cached(mark, sizeof(mark), &phys));
	memset(mark, 0, sizeof(mark));
	ASSERT_EQ(0, mce_arm_phys(phys));
	mce_watch_start(&w);
	EXPECT_EQ(-1, open(path, O_RDONLY));
	err = errno;
	mce_watch_end(&w, 1);
	mce_outcome("open: %s, %ld #MC", mce_errname(err), w.mcs);
	EXPECT_EQ(EIO, err);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(phys));

	mce_watch_start(&w);
	EXPECT_EQ(-1, readlink(path, target, sizeof(target)));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(-1, open(path, O_RDONLY));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(0, unlink(path));
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
	EXPECT_STREQ("", w.log);
	mce_retire();
}

#include "mce_main.h"
