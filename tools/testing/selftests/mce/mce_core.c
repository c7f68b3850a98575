// SPDX-License-Identifier: GPL-2.0
/*
 * A core dump meets a page that has gone bad.
 *
 * What is lost is a hole in the dump, and all the rest is there. What can be
 * read again from its file is there as well. The page leaves service before
 * the memory of the process goes back to the allocator.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_lib.h"

#define SEED	0x8008
#define NPAGES	16
#define LEN	(NPAGES * MCE_PAGE)
#define TARGET	5
#define AT	(TARGET * MCE_PAGE)
#define BASE	((__u8 *)0x200000000000UL)
#define HUGE	(2UL << 20)
#define PATTERN	"/proc/sys/kernel/core_pattern"

enum kind { ANON, THP, SHMEM, CLEAN, TEXT };

struct plan {
	enum kind kind;
	int fd;
};

static long set_up(void *arg)
{
	struct plan *p = arg;
	size_t len = p->kind == THP ? HUGE : LEN, i;
	struct rlimit core = { RLIM_INFINITY, RLIM_INFINITY };
	int prot = PROT_READ, flags = MAP_PRIVATE;
	__u8 *mem;
	int fd;

	/* Everything, file mappings included; in a directory of its own. */
	fd = open("/proc/self/coredump_filter", O_WRONLY);
	if (fd < 0 || write(fd, p->kind == TEXT ? "0x33" : "0xff", 4) != 4)
		return 1;
	close(fd);
	setrlimit(RLIMIT_CORE, &core);
	if (p->kind == TEXT)
		prot |= PROT_EXEC;
	else if (p->kind != CLEAN)
		prot |= PROT_WRITE;
	if (p->kind == SHMEM)
		flags = MAP_SHARED;
	if (p->fd < 0)
		flags |= MAP_ANONYMOUS;
	mem = mmap(BASE, len, prot, flags | MAP_FIXED, p->fd, 0);
	if (mem == MAP_FAILED)
		return 2;
	if (p->kind == THP && madvise(mem, len, MADV_HUGEPAGE))
		return 3;
	if (prot & PROT_WRITE)
		mce_fill(mem, LEN, SEED, 0);
	for (i = 0; i < len; i += MCE_PAGE)
		if (!mce_load(mem + i, NULL, NULL))
			return 4;
	return 0;
}

static long die(void *arg)
{
	(void)arg;
	signal(SIGABRT, SIG_DFL);
	abort();
}

/* Where in the dump a piece of memory is, or -1. */
static off_t core_offset(int fd, unsigned long addr, size_t len)
{
	struct elf64_hdr eh;
	struct elf64_phdr ph;
	int i;

	if (pread(fd, &eh, sizeof(eh), 0) != sizeof(eh) ||
	    memcmp(eh.e_ident, ELFMAG, SELFMAG))
		return -1;
	for (i = 0; i < eh.e_phnum; i++) {
		if (pread(fd, &ph, sizeof(ph), eh.e_phoff + i * sizeof(ph)) !=
		    sizeof(ph))
			return -1;
		if (ph.p_type == PT_LOAD && ph.p_vaddr <= addr &&
		    addr + len <= ph.p_vaddr + ph.p_filesz)
			return ph.p_offset + (addr - ph.p_vaddr);
	}
	return -1;
}

/* Where the last segment ends: the size of a dump that is whole. */
static off_t core_end(int fd)
{
	struct elf64_hdr eh;
	struct elf64_phdr ph;
	off_t end = 0;
	int i;

	if (pread(fd, &eh, sizeof(eh), 0) != sizeof(eh))
		return -1;
	for (i = 0; i < eh.e_phnum; i++)
		if (pread(fd, &ph, sizeof(ph), eh.e_phoff + i * sizeof(ph)) ==
		    sizeof(ph) && (off_t)(ph.p_offset + ph.p_filesz) > end)
			end = ph.p_offset + ph.p_filesz;
	return end;
}

FIXTURE(core)
{
	char path[PATH_MAX];
	char dir[PATH_MAX - 64];
	char name[PATH_MAX];
	char pattern[128];
	struct mce_owner o;
	int fd;
};

FIXTURE_VARIANT(core)
{
	enum kind kind;
	unsigned long fs;
	bool healed;
	unsigned int bad[4];	/* pages, each at another line */
	unsigned long at;	/* in the page */
};

FIXTURE_VARIANT_ADD(core, anon)
{
	.kind = ANON,
	.bad = { TARGET },
	.at = 1024,
};

FIXTURE_VARIANT_ADD(core, anon_first_line)
{
	.kind = ANON,
	.bad = { TARGET },
};

FIXTURE_VARIANT_ADD(core, anon_several)
{
	.kind = ANON,
	.bad = { 2, 3, 9, NPAGES - 1 },
	.at = 512,
};

FIXTURE_VARIANT_ADD(core, thp)
{
	.kind = THP,
	.bad = { TARGET },
	.at = 1024,
};

FIXTURE_VARIANT_ADD(core, shmem)
{
	.kind = SHMEM,
	.fs = MCE_FS_TMPFS,
	.bad = { TARGET },
	.at = 1024,
};

FIXTURE_VARIANT_ADD(core, clean_file)
{
	.kind = CLEAN,
	.fs = MCE_FS_EXT4,
	.healed = true,
	.bad = { 3, TARGET },
	.at = 1024,
};

FIXTURE_SETUP(core)
{
	struct plan plan = { .kind = variant->kind, .fd = -1 };
	char core[PATH_MAX];
	ssize_t n;
	int fd;

	self->fd = -1;
	ASSERT_EQ(0, mce_pin(0));
	if (!mce_dir_on(MCE_FS_TMPFS, self->dir, sizeof(self->dir)) &&
	    !mce_dir_on(MCE_FS_EXT4, self->dir, sizeof(self->dir)))
		SKIP(return, "no directory for a dump");
	fd = open(PATTERN, O_RDONLY);
	n = fd < 0 ? -1 : read(fd, self->pattern, sizeof(self->pattern) - 1);
	close(fd);
	if (n <= 0)
		SKIP(return, "no core dumps");
	self->pattern[n] = '\0';
	if (variant->fs) {
		char dir[PATH_MAX - 64];

		if (!mce_dir_on(variant->fs, dir, sizeof(dir)))
			SKIP(return, "no directory on that file system");
		snprintf(self->path, sizeof(self->path), "%s/mce-core-%d",
			 dir, getpid());
		self->fd = mce_file_create(self->path, NPAGES, 1, SEED);
		ASSERT_GE(self->fd, 0);
		plan.fd = self->fd;
	}
	ASSERT_EQ(0, mce_owner_start(&self->o, set_up, &plan));
	snprintf(self->name, sizeof(self->name), "%s/core.%d", self->dir,
		 self->o.pid);
	snprintf(core, sizeof(core), "%s/core.%%P", self->dir);
	fd = open(PATTERN, O_WRONLY);
	ASSERT_EQ((ssize_t)strlen(core), write(fd, core, strlen(core)));
	close(fd);
}

FIXTURE_TEARDOWN(core)
{
	int fd = open(PATTERN, O_WRONLY);

	if (self->pattern[0] &&
	    write(fd, self->pattern, strlen(self->pattern)) < 0)
		TH_LOG("core_pattern was not restored");
	close(fd);
	mce_retire();
	mce_owner_stop(&self->o);
	unlink(self->name);
	if (self->fd >= 0) {
		close(self->fd);
		unlink(self->path);
	}
}

TEST_F(core, dump)
{
	static const __u8 nothing[MCE_PAGE];
	unsigned int i, j, nr = 0;
	bool told = false, bad;
	char record[2048];
	__u8 page[MCE_PAGE];
	struct mce_answer a;
	struct mce_watch w;
	int fd, status, kmsg;
	__u64 phys[4];
	off_t off;
	__u64 pa;

	for (i = 0; i < ARRAY_SIZE(variant->bad) && variant->bad[i]; i++) {
		const __u8 *at = BASE + variant->bad[i] * MCE_PAGE + variant->at;

		if (variant->kind == THP) {
			ASSERT_EQ(0, mce_phys_of(self->o.pid, BASE, &pa));
			if (!mce_page_large(pa))
				SKIP(return, "got no huge page");
		}
		ASSERT_EQ(0, mce_phys_of(self->o.pid, at, &phys[i]));
		ASSERT_EQ(0, mce_arm_phys(phys[i]));
		nr++;
	}
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	lseek(kmsg, 0, SEEK_END);
	mce_watch_start(&w);
	EXPECT_EQ(-1, mce_owner_ask(&self->o, die, NULL, &a));
	ASSERT_EQ(self->o.pid, waitpid(self->o.pid, &status, 0));
	self->o.pid = 0;
	mce_watch_end(&w, nr);
	while (read(kmsg, record, sizeof(record)) > 0)
		if (strstr(record, "coredump: ") &&
		    strstr(record, "memory error at 0x2000000"))
			told = true;
	close(kmsg);
	ASSERT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGABRT, WTERMSIG(status));
	EXPECT_TRUE(WCOREDUMP(status));

	fd = open(self->name, O_RDONLY);
	ASSERT_GE(fd, 0);
	off = core_offset(fd, (unsigned long)BASE, LEN);
	mce_outcome("core dump: %s, %lld of %lld bytes, %ld #MC, %ld pages offlined",
		    WCOREDUMP(status) ? "done" : "NOT done",
		    (long long)lseek(fd, 0, SEEK_END), (long long)core_end(fd),
		    w.mcs, w.offlined);
	ASSERT_GT(off, 0);
	EXPECT_GE(lseek(fd, 0, SEEK_END), core_end(fd));
	for (i = 0; i < NPAGES; i++) {
		bad = false;
		for (j = 0; j < nr; j++)
			bad = bad || variant->bad[j] == i;
		EXPECT_EQ((ssize_t)MCE_PAGE,
			  pread(fd, page, MCE_PAGE, off + i * MCE_PAGE));
		if (bad && !variant->healed) {
			EXPECT_EQ(0, memcmp(page, nothing, MCE_PAGE)) {
				TH_LOG("page %u should be a hole", i);
			}
		} else {
			EXPECT_EQ(-1, mce_differs(page, MCE_PAGE, SEED,
						  i * MCE_PAGE)) {
				TH_LOG("page %u has the wrong data", i);
			}
		}
	}
	close(fd);
	EXPECT_EQ(!variant->healed, told);
	EXPECT_EQ(nr, w.mcs);
	EXPECT_EQ(nr, w.offlined);
	EXPECT_STREQ("", w.log);
	for (i = 0; i < nr; i++)
		EXPECT_TRUE(mce_page_offlined(phys[i]));
}

/*
 * The first bytes of a mapping of a file decide how much of it is dumped. The
 * page is met there, and must not be met again.
 */
TEST_F(core, elf_header)
{
	struct plan plan = { .kind = TEXT };
	struct mce_owner o = { 0 };
	char path[PATH_MAX], name[PATH_MAX], dir[PATH_MAX - 64];
	struct mce_answer a;
	struct mce_watch w;
	int status, fd;
	__u8 page[MCE_PAGE];
	__u64 phys;

	if (variant->kind != ANON || variant->at != 1024)
		SKIP(return, "once is enough");
	if (!mce_dir_on(MCE_FS_EXT4, dir, sizeof(dir)))
		SKIP(return, "no ext4");
	snprintf(path, sizeof(path), "%s/mce-elf-%d", dir, getpid());
	plan.fd = mce_file_create(path, NPAGES, 1, SEED);
	ASSERT_GE(plan.fd, 0);
	/* An executable that nobody runs. */
	mce_fill(page, MCE_PAGE, SEED, 0);
	memcpy(page, ELFMAG, SELFMAG);
	ASSERT_EQ((ssize_t)MCE_PAGE, pwrite(plan.fd, page, MCE_PAGE, 0));
	ASSERT_EQ(0, fsync(plan.fd));
	ASSERT_EQ(0, fchmod(plan.fd, 0700));
	ASSERT_EQ(0, mce_owner_start(&o, set_up, &plan));
	snprintf(name, sizeof(name), "%s/core.%d", self->dir, o.pid);
	ASSERT_EQ(0, mce_phys_of(o.pid, BASE, &phys));
	ASSERT_EQ(0, mce_arm_phys(phys));
	mce_watch_start(&w);
	mce_owner_ask(&o, die, NULL, &a);
	ASSERT_EQ(o.pid, waitpid(o.pid, &status, 0));
	o.pid = 0;
	mce_watch_end(&w, 1);
	EXPECT_TRUE(WIFSIGNALED(status) && WCOREDUMP(status));
	fd = open(name, O_RDONLY);
	ASSERT_GE(fd, 0);
	mce_outcome("core dump: %s, %lld of %lld bytes, %ld #MC",
		    WCOREDUMP(status) ? "done" : "NOT done",
		    (long long)lseek(fd, 0, SEEK_END), (long long)core_end(fd),
		    w.mcs);
	EXPECT_GE(lseek(fd, 0, SEEK_END), core_end(fd));
	close(fd);
	unlink(name);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(phys));
	close(plan.fd);
	unlink(path);
}

#include "mce_main.h"
