// SPDX-License-Identifier: GPL-2.0
/*
 * A program touches poison itself, with a load or by running it.
 *
 * What can be read again from its file is, and nobody notices. Where the only
 * good copy is gone the program gets SIGBUS, code BUS_MCEERR_AR, with an
 * address range that holds the address it touched; and gets it again each time
 * it comes back.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_lib.h"

#define SEED	0x1001
#define NPAGES	4

FIXTURE(load)
{
	char path[PATH_MAX];
	__u8 *map;
	int fd;
};

FIXTURE_VARIANT(load)
{
	unsigned long fs;	/* 0: anonymous memory */
	bool dirty;
	bool healed;		/* no signal, the right data */
};

FIXTURE_VARIANT_ADD(load, anon)
{
};

FIXTURE_VARIANT_ADD(load, clean_file)
{
	.fs = MCE_FS_EXT4,
	.healed = true,
};

FIXTURE_VARIANT_ADD(load, dirty_file)
{
	.fs = MCE_FS_EXT4,
	.dirty = true,
};

FIXTURE_VARIANT_ADD(load, tmpfs)
{
	.fs = MCE_FS_TMPFS,
	.dirty = true,
};

FIXTURE_SETUP(load)
{
	char dir[PATH_MAX - 64];

	self->map = MAP_FAILED;
	self->fd = -1;
	ASSERT_EQ(0, mce_pin(0));
	if (!variant->fs) {
		self->map = mmap(NULL, NPAGES * MCE_PAGE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ASSERT_NE(MAP_FAILED, self->map);
		mce_fill(self->map, NPAGES * MCE_PAGE, SEED, 0);
		return;
	}
	if (!mce_dir_on(variant->fs, dir, sizeof(dir)))
		SKIP(return, "no directory on that file system");
	snprintf(self->path, sizeof(self->path), "%s/mce-load-%d", dir, getpid());
	self->fd = mce_file_create(self->path, NPAGES, 1, SEED);
	ASSERT_GE(self->fd, 0);
	self->map = mmap(NULL, NPAGES * MCE_PAGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	if (variant->dirty)
		mce_fill(self->map, NPAGES * MCE_PAGE, SEED, 0);
	else
		ASSERT_EQ(-1, mce_differs(self->map, NPAGES * MCE_PAGE, SEED, 0));
}

FIXTURE_TEARDOWN(load)
{
	mce_retire();
	if (self->map != MAP_FAILED)
		munmap(self->map, NPAGES * MCE_PAGE);
	if (self->fd >= 0) {
		close(self->fd);
		unlink(self->path);
	}
}

TEST_F(load, once)
{
	__u8 *addr = self->map + MCE_PAGE + 1024 + 7, val = 0;
	struct mce_sigbus sb, again;
	struct mce_watch w;
	__u64 old, new;
	bool ok;

	ASSERT_EQ(0, mce_arm(addr, &old));
	mce_watch_start(&w);
	ok = mce_load(addr, &val, &sb);
	mce_watch_end(&w, 1);
	if (ok)
		mce_outcome("no signal, %s data, %ld #MC",
			    mce_differs(&val, 1, SEED, MCE_PAGE + 1024 + 7) < 0 ?
			    "the right" : "WRONG", w.mcs);
	else
		mce_outcome("SIGBUS %s%s, %ld #MC", mce_codename(sb.code),
			    mce_sigbus_covers(&sb, addr) ? "" :
			    ", address MISSING", w.mcs);

	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(old));
	/* The neighbours are as they were. */
	EXPECT_EQ(-1, mce_differs(self->map, MCE_PAGE, SEED, 0));
	EXPECT_EQ(-1, mce_differs(self->map + 2 * MCE_PAGE, MCE_PAGE, SEED,
				  2 * MCE_PAGE));
	if (variant->healed) {
		ASSERT_TRUE(ok);
		EXPECT_EQ(-1, mce_differs(self->map, NPAGES * MCE_PAGE, SEED, 0));
		ASSERT_EQ(0, mce_phys(addr, &new));
		EXPECT_NE(old / MCE_PAGE, new / MCE_PAGE);
		return;
	}
	ASSERT_FALSE(ok);
	EXPECT_EQ(1, sb.count);
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_EQ(12, sb.lsb);
	EXPECT_TRUE(mce_sigbus_covers(&sb, addr));

	/* Later touches: the same answer, and no machine check. */
	mce_watch_start(&w);
	EXPECT_FALSE(mce_load(addr + 100, NULL, &again));
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
	EXPECT_EQ(1, again.count);
	EXPECT_EQ(BUS_MCEERR_AR, again.code);
	EXPECT_EQ(12, again.lsb);
	EXPECT_TRUE(mce_sigbus_covers(&again, addr + 100));
}

/* The signal names the byte, not only the page. */
TEST(exact_address)
{
	struct mce_sigbus sb;
	__u8 *map, *addr;

	ASSERT_EQ(0, mce_pin(0));
	map = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, map);
	mce_fill(map, MCE_PAGE, SEED, 0);
	addr = map + 1024 + 7;
	ASSERT_EQ(0, mce_arm(addr, NULL));
	ASSERT_FALSE(mce_load(addr, NULL, &sb));
	mce_outcome("si_addr is %ld bytes below the address touched",
		    (long)(addr - (__u8 *)sb.addr));
	EXPECT_EQ(addr, sb.addr);
	mce_retire();
}

/* Somebody else maps the same clean page, and need not know. */
TEST(bystander_of_clean_file)
{
	struct mce_bystander b = { 0 };
	struct mce_watch w;
	struct mce_file f;
	__u8 *map, val;
	int err;

	ASSERT_EQ(0, mce_pin(0));
	err = mce_file_open(&f, MCE_FS_EXT4, 1, 1, SEED);
	if (err == -ENOENT)
		SKIP(return, "no directory on ext4");
	ASSERT_EQ(0, err);
	map = mmap(NULL, MCE_PAGE, PROT_READ, MAP_SHARED, f.fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(-1, mce_differs(map, MCE_PAGE, SEED, 0));
	EXPECT_EQ(0, mce_bystander_start(&b, f.path, 0, true));
	EXPECT_EQ(0, mce_arm(map + 1024, NULL));
	mce_watch_start(&w);
	EXPECT_TRUE(mce_load(map + 1024, &val, NULL));
	mce_watch_end(&w, 1);
	EXPECT_EQ(1, w.mcs);
	EXPECT_STREQ("", w.log);
	EXPECT_EQ(0, mce_bystander_ask(&b, SEED));
	mce_bystander_stop(&b);
	mce_file_close(&f);
	munmap(map, MCE_PAGE);
}

/* Somebody holds the page. That it is dropped from the cache is enough. */
TEST(clean_file_in_a_pipe)
{
	struct iovec iov = { NULL, MCE_PAGE };
	__u8 *map, val = 0;
	struct mce_sigbus sb = { 0 };
	struct mce_watch w;
	struct mce_file f;
	int pipefd[2], err;
	ssize_t ret;

	ASSERT_EQ(0, mce_pin(0));
	err = mce_file_open(&f, MCE_FS_EXT4, 1, 1, SEED);
	if (err == -ENOENT)
		SKIP(return, "no directory on ext4");
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, pipe(pipefd));
	map = mmap(NULL, MCE_PAGE, PROT_READ, MAP_SHARED, f.fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	iov.iov_base = map;
	ASSERT_EQ((ssize_t)MCE_PAGE, vmsplice(pipefd[1], &iov, 1, 0));
	mce_fill(f.buf, MCE_PAGE, SEED, 0);

	EXPECT_EQ(0, mce_arm(map + 1024, NULL));
	mce_watch_start(&w);
	EXPECT_TRUE(mce_load(map + 1024, &val, &sb));
	mce_watch_end(&w, 1);
	mce_outcome("%s, %ld #MC", sb.count ? mce_codename(sb.code) : "no signal", w.mcs);
	EXPECT_EQ(f.buf[1024], val);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);

	/* What is in the pipe is the bad page: read again, or an error. */
	mce_watch_start(&w);
	ret = read(pipefd[0], f.buf, MCE_PAGE);
	EXPECT_TRUE(ret < 0 ? errno == EIO : mce_differs(f.buf, ret, SEED, 0) < 0);
	mce_watch_end(&w, 0);
	/* What the pipe holds stays in the direct map: the reader meets it, once. */
	EXPECT_GE(1, w.mcs);
	EXPECT_STREQ("", w.log);

	mce_file_close(&f);
	munmap(map, MCE_PAGE);
	close(pipefd[0]);
	close(pipefd[1]);
}

/* Anonymous text: a function that only returns, at the start of a line. */
TEST(ifetch_anon)
{
	static const __u8 ret = 0xc3;
	struct mce_sigbus sb;
	struct mce_watch w;
	__u64 old;
	__u8 *code;

	ASSERT_EQ(0, mce_pin(0));
	code = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, code);
	code[512] = ret;
	((void (*)(void))(code + 512))();

	ASSERT_EQ(0, mce_arm(code + 512, &old));
	mce_watch_start(&w);
	EXPECT_FALSE(mce_guard((void (*)(void *))(code + 512), NULL, &sb));
	mce_watch_end(&w, 1);
	mce_outcome("SIGBUS %s%s, %ld #MC", mce_codename(sb.code),
		    mce_sigbus_covers(&sb, code + 512) ? "" :
		    ", address MISSING", w.mcs);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_EQ(1, sb.count);
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_TRUE(mce_sigbus_covers(&sb, code + 512));
	EXPECT_TRUE(mce_page_offlined(old));
	mce_retire();
}

/* Text of a program on disk, like that of any other. */
TEST(ifetch_clean_file)
{
	static const __u8 ret = 0xc3;
	char dir[PATH_MAX - 64], path[PATH_MAX];
	struct mce_sigbus sb;
	struct mce_watch w;
	__u64 old, new;
	__u8 *code;
	bool ok;
	int fd;

	ASSERT_EQ(0, mce_pin(0));
	if (!mce_dir_on(MCE_FS_EXT4, dir, sizeof(dir)))
		SKIP(return, "no directory on ext4");
	snprintf(path, sizeof(path), "%s/mce-text-%d", dir, getpid());
	fd = mce_file_create(path, 1, 1, SEED);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(1, pwrite(fd, &ret, 1, 512));
	ASSERT_EQ(0, fsync(fd));
	code = mmap(NULL, MCE_PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, code);
	((void (*)(void))(code + 512))();

	ASSERT_EQ(0, mce_arm(code + 512, &old));
	mce_watch_start(&w);
	ok = mce_guard((void (*)(void *))(code + 512), NULL, &sb);
	mce_watch_end(&w, 1);
	if (ok)
		mce_outcome("no signal, %ld #MC", w.mcs);
	else
		mce_outcome("SIGBUS %s, %ld #MC", mce_codename(sb.code), w.mcs);
	EXPECT_TRUE(ok);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(old));
	EXPECT_EQ(0, mce_phys(code + 512, &new));
	EXPECT_NE(old / MCE_PAGE, new / MCE_PAGE);
	mce_retire();
	munmap(code, MCE_PAGE);
	close(fd);
	unlink(path);
}

#include "mce_main.h"
