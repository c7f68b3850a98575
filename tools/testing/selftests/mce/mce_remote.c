// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel reads the memory of one process for another one.
 *
 * The reader gets what comes before the bad line, or -EIO, and everything if
 * the page can be read again from its file. The owner of the memory does not
 * notice: there is no signal until it touches lost data itself.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_lib.h"

#define SEED	0x7007
#define NPAGES	16
#define LEN	(NPAGES * MCE_PAGE)
#define TARGET	5
#define AT	(TARGET * MCE_PAGE)
#define BAD	(AT + 1024)
#define HUGE	(2UL << 20)
/* Where the owner has its memory; a fork has nothing there. */
#define BASE	((__u8 *)0x200000000000UL)

enum kind { ANON, THP, HUGETLB, SHMEM, CLEAN, CLEAN_PRIVATE, DIRTY };

/* What the owner is to set up. */
struct plan {
	enum kind kind;
	int fd;
	int prot;
};

static long fill_memory(void *arg)
{
	struct plan *p = arg;
	size_t len = p->kind == THP || p->kind == HUGETLB ? HUGE : LEN;
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	unsigned long i;
	__u8 *mem;

	if (p->kind == HUGETLB)
		flags |= MAP_HUGETLB;
	if (p->fd >= 0)
		flags = p->kind == CLEAN_PRIVATE ? MAP_PRIVATE : MAP_SHARED;
	mem = mmap(BASE, len, p->prot, flags | MAP_FIXED, p->fd, 0);
	if (mem == MAP_FAILED)
		return 1;
	if (p->kind == THP && madvise(mem, len, MADV_HUGEPAGE))
		return 2;
	if (p->prot & PROT_WRITE && p->kind != CLEAN_PRIVATE)
		mce_fill(mem, LEN, SEED, 0);
	/* All of it in the page tables. */
	for (i = 0; i < len; i += MCE_PAGE)
		if (!mce_load(mem + i, NULL, NULL))
			return 3;
	return 0;
}

FIXTURE(remote)
{
	char path[PATH_MAX];
	struct mce_owner o;
	__u8 *buf;
	__u64 phys;
	int fd;
};

FIXTURE_VARIANT(remote)
{
	enum kind kind;
	unsigned long fs;	/* zero: not a file */
	size_t chunk;
	bool healed;
	int lsb;
};

FIXTURE_VARIANT_ADD(remote, anon)
{
	.kind = ANON,
	.lsb = 12,
};

FIXTURE_VARIANT_ADD(remote, thp)
{
	.kind = THP,
	.lsb = 12,
};

FIXTURE_VARIANT_ADD(remote, hugetlb)
{
	.kind = HUGETLB,
	.lsb = 21,
};

FIXTURE_VARIANT_ADD(remote, shmem)
{
	.kind = SHMEM,
	.fs = MCE_FS_TMPFS,
	.chunk = 1,
	.lsb = 12,
};

FIXTURE_VARIANT_ADD(remote, clean)
{
	.kind = CLEAN,
	.fs = MCE_FS_EXT4,
	.chunk = 1,
	.healed = true,
};

FIXTURE_VARIANT_ADD(remote, clean_private)
{
	.kind = CLEAN_PRIVATE,
	.fs = MCE_FS_EXT4,
	.chunk = 1,
	.healed = true,
};

FIXTURE_VARIANT_ADD(remote, xfs_large)
{
	.kind = CLEAN,
	.fs = MCE_FS_XFS,
	.chunk = NPAGES,
	.healed = true,
};

FIXTURE_VARIANT_ADD(remote, dirty)
{
	.kind = DIRTY,
	.fs = MCE_FS_EXT4,
	.chunk = 1,
	.lsb = 12,
};

FIXTURE_SETUP(remote)
{
	struct plan plan = { .kind = variant->kind, .fd = -1 };
	char dir[PATH_MAX - 64];
	__u64 phys;
	int ret;

	self->fd = -1;
	ASSERT_EQ(0, mce_pin(0));
	self->buf = mmap(NULL, LEN, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, self->buf);
	if (variant->fs) {
		if (!mce_dir_on(variant->fs, dir, sizeof(dir)))
			SKIP(return, "no directory on that file system");
		snprintf(self->path, sizeof(self->path), "%s/mce-remote-%d",
			 dir, getpid());
		self->fd = mce_file_create(self->path, NPAGES, variant->chunk,
					   SEED);
		ASSERT_GE(self->fd, 0);
		plan.fd = self->fd;
	}
	plan.prot = PROT_READ;
	if (variant->kind != CLEAN && variant->kind != CLEAN_PRIVATE)
		plan.prot |= PROT_WRITE;
	ret = mce_owner_start(&self->o, fill_memory, &plan);
	if (ret == 1 && variant->kind == HUGETLB)
		SKIP(return, "no huge pages");
	ASSERT_EQ(0, ret);
	if (variant->kind == THP) {
		ASSERT_EQ(0, mce_phys_of(self->o.pid, BASE, &phys));
		if (!mce_page_large(phys))
			SKIP(return, "got no huge page");
	}
	ASSERT_EQ(0, mce_phys_of(self->o.pid, BASE + BAD, &self->phys));
	ASSERT_EQ(0, mce_arm_phys(self->phys));
}

FIXTURE_TEARDOWN(remote)
{
	mce_retire();
	mce_owner_stop(&self->o);
	if (self->fd >= 0) {
		close(self->fd);
		unlink(self->path);
	}
}

/* The owner has lived through it, and only now touches the page itself. */
static void check_owner(struct __test_metadata *const _metadata,
			struct mce_owner *o, bool healed, int lsb)
{
	struct mce_answer a;
	struct mce_watch w;
	__u8 byte;

	mce_watch_start(&w);
	ASSERT_EQ(0, mce_owner_load(o, BASE + BAD, &a));
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
	EXPECT_EQ(0, a.early);
	EXPECT_STREQ("", w.log);
	if (healed) {
		byte = a.ret;
		EXPECT_TRUE(a.ok);
		EXPECT_EQ(-1, mce_differs(&byte, 1, SEED, BAD));
	} else {
		EXPECT_FALSE(a.ok);
		EXPECT_EQ(1, a.sb.count);
		EXPECT_EQ(BUS_MCEERR_AR, a.sb.code);
		EXPECT_EQ(lsb, a.sb.lsb);
		EXPECT_TRUE(mce_sigbus_covers(&a.sb, BASE + BAD));
	}
	if (lsb > 12)
		return;
	/* The pages beside it are as they were. */
	ASSERT_EQ(0, mce_owner_load(o, BASE + AT + MCE_PAGE, &a));
	byte = a.ret;
	EXPECT_TRUE(a.ok);
	EXPECT_EQ(-1, mce_differs(&byte, 1, SEED, AT + MCE_PAGE));
}

/* One reader: bytes read, or -1 and errno. */
typedef ssize_t (*reader)(pid_t pid, void *to, const void *from, size_t len);

static ssize_t read_vm(pid_t pid, void *to, const void *from, size_t len)
{
	struct iovec local = { to, len }, remote = { (void *)from, len };

	return process_vm_readv(pid, &local, 1, &remote, 1, 0);
}

static ssize_t read_mem(pid_t pid, void *to, const void *from, size_t len)
{
	char path[64];
	ssize_t ret;
	int fd, err;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ret = pread(fd, to, len, (unsigned long)from);
	err = errno;
	close(fd);
	errno = err;
	return ret;
}

static void read_over_poison(struct __test_metadata *const _metadata,
			     struct mce_owner *o, __u8 *buf, __u64 phys,
			     bool healed, int lsb, const char *what, reader rd)
{
	struct mce_watch w;
	ssize_t ret;
	int err;

	memset(buf, 0xee, LEN);
	mce_watch_start(&w);
	ret = rd(o->pid, buf, BASE, LEN);
	err = errno;
	mce_watch_end(&w, 1);
	if (ret < 0)
		mce_outcome("%s: -%s, %ld #MC", what, mce_errname(err), w.mcs);
	else
		mce_outcome("%s: %zd bytes, %ld #MC", what, ret, w.mcs);
	EXPECT_EQ(healed ? (ssize_t)LEN : (ssize_t)BAD, ret);
	if (ret > 0)
		EXPECT_EQ(-1, mce_differs(buf, ret, SEED, 0));
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(phys));

	/* From the bad byte on, as a reader that wants the rest would. */
	mce_watch_start(&w);
	ret = rd(o->pid, buf, BASE + BAD, 64);
	err = errno;
	mce_watch_end(&w, 0);
	if (healed) {
		EXPECT_EQ(64, ret);
		EXPECT_EQ(-1, mce_differs(buf, 64, SEED, BAD));
	} else {
		EXPECT_EQ(-1, ret);
		EXPECT_EQ(EIO, err);
	}
	EXPECT_EQ(0, w.mcs);
	EXPECT_STREQ("", w.log);

	check_owner(_metadata, o, healed, lsb);
}

TEST_F(remote, process_vm_readv)
{
	read_over_poison(_metadata, &self->o, self->buf, self->phys,
			 variant->healed, variant->lsb, "process_vm_readv",
			 read_vm);
}

TEST_F(remote, proc_mem)
{
	read_over_poison(_metadata, &self->o, self->buf, self->phys,
			 variant->healed, variant->lsb, "/proc/pid/mem",
			 read_mem);
}

/* The very first byte is bad: there is nothing to count. */
TEST_F(remote, first_byte)
{
	struct mce_watch w;
	ssize_t ret;
	int err;

	mce_watch_start(&w);
	ret = read_vm(self->o.pid, self->buf, BASE + BAD, 1000);
	err = errno;
	mce_watch_end(&w, 1);
	if (variant->healed) {
		EXPECT_EQ(1000, ret);
		EXPECT_EQ(-1, mce_differs(self->buf, 1000, SEED, BAD));
	} else {
		EXPECT_EQ(-1, ret);
		EXPECT_EQ(EIO, err);
	}
	EXPECT_EQ(1, w.mcs);
	EXPECT_TRUE(mce_page_offlined(self->phys));
	EXPECT_STREQ("", w.log);
	check_owner(_metadata, &self->o, variant->healed, variant->lsb);
}

/* Several elements on either side; what comes first is whole. */
TEST_F(remote, iovecs)
{
	struct iovec local[2] = {
		{ self->buf, 3000 },
		{ self->buf + 3000, LEN - 3000 },
	};
	struct iovec remote[3] = {
		{ BASE, MCE_PAGE },
		{ BASE + MCE_PAGE, AT },
		{ BASE + AT + MCE_PAGE, LEN - AT - MCE_PAGE },
	};
	struct mce_watch w;
	ssize_t ret;

	mce_watch_start(&w);
	ret = process_vm_readv(self->o.pid, local, 2, remote, 3, 0);
	mce_watch_end(&w, 1);
	EXPECT_EQ(variant->healed ? (ssize_t)LEN : (ssize_t)BAD, ret);
	if (ret > 0)
		EXPECT_EQ(-1, mce_differs(self->buf, ret, SEED, 0));
	EXPECT_EQ(1, w.mcs);
	EXPECT_TRUE(mce_page_offlined(self->phys));
	EXPECT_STREQ("", w.log);
	check_owner(_metadata, &self->o, variant->healed, variant->lsb);
}

static void attach(struct __test_metadata *const _metadata, pid_t pid)
{
	int status;

	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, pid, NULL, NULL));
	ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, pid, NULL, NULL));
	ASSERT_EQ(pid, waitpid(pid, &status, __WALL));
	ASSERT_TRUE(WIFSTOPPED(status));
}

TEST_F(remote, peekdata)
{
	struct mce_watch w;
	__u64 word, want;
	int err;

	attach(_metadata, self->o.pid);
	mce_watch_start(&w);
	errno = 0;
	word = ptrace(PTRACE_PEEKDATA, self->o.pid, BASE + BAD, NULL);
	err = errno;
	mce_watch_end(&w, 1);
	mce_outcome("PTRACE_PEEKDATA: %s%s, %ld #MC", err ? "-" : "",
		    err ? mce_errname(err) : "a word", w.mcs);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(self->phys));
	if (variant->healed) {
		mce_fill(&want, sizeof(want), SEED, BAD);
		EXPECT_EQ(0, err);
		EXPECT_EQ(want, word);
	} else {
		EXPECT_EQ(EIO, err);
		/* And the same once more. */
		errno = 0;
		ptrace(PTRACE_PEEKDATA, self->o.pid, BASE + BAD, NULL);
		EXPECT_EQ(EIO, errno);
	}
	EXPECT_EQ(0, ptrace(PTRACE_DETACH, self->o.pid, NULL, NULL));
	check_owner(_metadata, &self->o, variant->healed, variant->lsb);
}

/* Several bad pages in one call. */
TEST(several_bad_pages)
{
	struct plan plan = { .kind = CLEAN, .fd = -1, .prot = PROT_READ };
	char dir[PATH_MAX - 64], path[PATH_MAX];
	struct mce_owner o = { 0 };
	struct mce_watch w;
	static __u8 buf[LEN];
	ssize_t ret;
	__u64 phys;
	int i;

	ASSERT_EQ(0, mce_pin(0));
	if (!mce_dir_on(MCE_FS_EXT4, dir, sizeof(dir)))
		SKIP(return, "no directory on that file system");
	snprintf(path, sizeof(path), "%s/mce-remote-%d", dir, getpid());
	plan.fd = mce_file_create(path, NPAGES, 1, SEED);
	ASSERT_GE(plan.fd, 0);
	ASSERT_EQ(0, mce_owner_start(&o, fill_memory, &plan));
	for (i = 1; i < NPAGES; i++) {
		ASSERT_EQ(0, mce_phys_of(o.pid, BASE + i * MCE_PAGE, &phys));
		ASSERT_EQ(0, mce_arm_phys(phys + 64 * i));
	}
	mce_watch_start(&w);
	ret = read_vm(o.pid, buf, BASE, LEN);
	mce_watch_end(&w, NPAGES - 1);
	mce_outcome("process_vm_readv over %d bad pages: %zd, %ld #MC",
		    NPAGES - 1, ret, w.mcs);
	EXPECT_EQ((ssize_t)LEN, ret);
	EXPECT_EQ(-1, mce_differs(buf, LEN, SEED, 0));
	EXPECT_EQ(NPAGES - 1, w.mcs);
	EXPECT_EQ(NPAGES - 1, w.offlined);
	EXPECT_STREQ("", w.log);
	mce_retire();
	mce_owner_stop(&o);
	close(plan.fd);
	unlink(path);
}

/*
 * Command line and environment, as ps(1) reads them: the owner points the
 * kernel at its memory.
 */
FIXTURE(strings)
{
	struct mce_owner o;
	__u64 phys;
};

FIXTURE_VARIANT(strings)
{
	const char *file;
	unsigned long at;	/* of the bad line */
	size_t good;		/* bytes that can be had */
	bool title;		/* as setproctitle(3) leaves it */
};

FIXTURE_VARIANT_ADD(strings, cmdline)
{
	.file = "cmdline",
	.at = MCE_PAGE + 1024,
	.good = MCE_PAGE + 1024,
};

/* The last byte is looked at first, and takes its page along. */
FIXTURE_VARIANT_ADD(strings, cmdline_end)
{
	.file = "cmdline",
	.at = 2 * MCE_PAGE - 64,
	.good = MCE_PAGE,
};

FIXTURE_VARIANT_ADD(strings, cmdline_title)
{
	.file = "cmdline",
	.at = 1024,
	.good = 1024,
	.title = true,
};

FIXTURE_VARIANT_ADD(strings, environ)
{
	.file = "environ",
	.at = 3 * MCE_PAGE + 1024,
	.good = MCE_PAGE + 1024,
};

static long set_strings(void *arg)
{
	bool title = *(bool *)arg;
	unsigned long mem;
	size_t i;
	__u8 *p;

	p = mmap(BASE, 4 * MCE_PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (p == MAP_FAILED)
		return 1;
	for (i = 0; i < 4 * MCE_PAGE; i++)
		p[i] = i % 50 == 49 && !title ? 0 : 'a' + i % 23;
	p[2 * MCE_PAGE - 1] = title ? 'x' : 0;
	mem = (unsigned long)p;
	/* In an order that never has an end before its start. */
	if (prctl(PR_SET_MM, PR_SET_MM_ARG_START, mem, 0, 0) ||
	    prctl(PR_SET_MM, PR_SET_MM_ARG_END, mem + 2 * MCE_PAGE, 0, 0) ||
	    prctl(PR_SET_MM, PR_SET_MM_ENV_START, mem + 2 * MCE_PAGE, 0, 0) ||
	    prctl(PR_SET_MM, PR_SET_MM_ENV_END, mem + 4 * MCE_PAGE, 0, 0))
		return 2;
	return 0;
}

FIXTURE_SETUP(strings)
{
	bool title = variant->title;
	int ret;

	ASSERT_EQ(0, mce_pin(0));
	ret = mce_owner_start(&self->o, set_strings, &title);
	if (ret == 2)
		SKIP(return, "no PR_SET_MM");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, mce_phys_of(self->o.pid, BASE + variant->at, &self->phys));
	ASSERT_EQ(0, mce_arm_phys(self->phys));
}

FIXTURE_TEARDOWN(strings)
{
	mce_retire();
	mce_owner_stop(&self->o);
}

TEST_F(strings, read)
{
	unsigned long start = variant->at & (2 * MCE_PAGE);
	size_t i, got = 0;
	__u8 buf[3 * MCE_PAGE];
	struct mce_answer a;
	struct mce_watch w;
	char path[64];
	ssize_t ret;
	int fd, err;

	snprintf(path, sizeof(path), "/proc/%d/%s", self->o.pid, variant->file);
	fd = open(path, O_RDONLY);
	ASSERT_GE(fd, 0);
	mce_watch_start(&w);
	/* As cat(1) would. */
	do {
		ret = read(fd, buf + got, sizeof(buf) - got);
		err = errno;
		if (ret > 0)
			got += ret;
	} while (ret > 0);
	mce_watch_end(&w, 1);
	mce_outcome("%s: %zu bytes, then %s%s, %ld #MC", variant->file, got,
		    ret ? "-" : "", ret ? mce_errname(err) : "the end", w.mcs);
	close(fd);
	/* What is missing is an error, not the end. */
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EIO, err);
	EXPECT_EQ(variant->good, got);
	for (i = 0; i < got; i++) {
		size_t pos = start + i;

		EXPECT_EQ(pos % 50 == 49 && !variant->title ? 0 :
			  (__u8)('a' + pos % 23), buf[i]) {
			break;
		}
	}
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(self->phys));

	ASSERT_EQ(0, mce_owner_load(&self->o, BASE + variant->at, &a));
	EXPECT_EQ(0, a.early);
	EXPECT_FALSE(a.ok);
	EXPECT_EQ(BUS_MCEERR_AR, a.sb.code);
	EXPECT_TRUE(mce_sigbus_covers(&a.sb, BASE + variant->at));
}

/*
 * Single stepping looks at the next instruction, and at some bytes more than
 * it has. The program spins in the last two bytes before the bad line.
 */
FIXTURE(step)
{
	char path[PATH_MAX];
	pid_t pid;
	int fd;
};

FIXTURE_VARIANT(step)
{
	bool file;
};

FIXTURE_VARIANT_ADD(step, anon_text)
{
	.file = false,
};

FIXTURE_VARIANT_ADD(step, clean_text)
{
	.file = true,
};

#define JMP_SELF	"\xeb\xfe"
#define NOP		0x90

FIXTURE_SETUP(step)
{
	__u8 code[MCE_PAGE], *text;
	char dir[PATH_MAX - 64];
	int ready[2];
	char c;

	self->fd = -1;
	ASSERT_EQ(0, mce_pin(0));
	memset(code, NOP, sizeof(code));
	memcpy(code + 1022, JMP_SELF, 2);
	if (variant->file) {
		if (!mce_dir_on(MCE_FS_EXT4, dir, sizeof(dir)))
			SKIP(return, "no directory on that file system");
		snprintf(self->path, sizeof(self->path), "%s/mce-step-%d", dir,
			 getpid());
		self->fd = open(self->path, O_RDWR | O_CREAT | O_TRUNC, 0700);
		ASSERT_GE(self->fd, 0);
		ASSERT_EQ((ssize_t)sizeof(code),
			  pwrite(self->fd, code, sizeof(code), 0));
		ASSERT_EQ(0, fsync(self->fd));
	}
	ASSERT_EQ(0, pipe(ready));
	self->pid = fork();
	ASSERT_GE(self->pid, 0);
	if (!self->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		text = mmap(BASE, MCE_PAGE, PROT_READ | PROT_EXEC |
			    (variant->file ? 0 : PROT_WRITE),
			    MAP_PRIVATE | MAP_FIXED |
			    (variant->file ? 0 : MAP_ANONYMOUS), self->fd, 0);
		if (text == MAP_FAILED)
			_exit(1);
		if (!variant->file)
			memcpy(text, code, sizeof(code));
		if (!mce_load(text, NULL, NULL) || write(ready[1], "", 1) != 1)
			_exit(1);
		((void (*)(void))(text + 1022))();
		_exit(1);
	}
	ASSERT_EQ(1, read(ready[0], &c, 1));
	close(ready[0]);
	close(ready[1]);
}

FIXTURE_TEARDOWN(step)
{
	mce_retire();
	if (self->pid > 0) {
		kill(self->pid, SIGKILL);
		waitpid(self->pid, NULL, __WALL);
	}
	if (self->fd >= 0) {
		close(self->fd);
		unlink(self->path);
	}
}

TEST_F(step, singlestep)
{
	struct user_regs_struct regs;
	struct mce_watch w;
	int status, tries;
	siginfo_t si;
	__u64 phys;

	/* Let it get there. */
	for (tries = 0; tries < 100; tries++) {
		usleep(10000);
		attach(_metadata, self->pid);
		ASSERT_EQ(0, ptrace(PTRACE_GETREGS, self->pid, NULL, &regs));
		if (regs.rip == (unsigned long)BASE + 1022)
			break;
		ASSERT_EQ(0, ptrace(PTRACE_DETACH, self->pid, NULL, NULL));
	}
	ASSERT_EQ((unsigned long)BASE + 1022, regs.rip);

	ASSERT_EQ(0, mce_phys_of(self->pid, BASE + 1024, &phys));
	ASSERT_EQ(0, mce_arm_phys(phys));
	mce_watch_start(&w);
	ASSERT_EQ(0, ptrace(PTRACE_SINGLESTEP, self->pid, NULL, NULL));
	ASSERT_EQ(self->pid, waitpid(self->pid, &status, __WALL));
	mce_watch_end(&w, 1);
	mce_outcome("PTRACE_SINGLESTEP: the program stops with %s, %ld #MC",
		    WIFSTOPPED(status) ? strsignal(WSTOPSIG(status)) :
					 "something else", w.mcs);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(phys));
	ASSERT_TRUE(WIFSTOPPED(status));
	if (variant->file) {
		EXPECT_EQ(SIGTRAP, WSTOPSIG(status));
	} else {
		/* Its text is gone, and it was about to fetch it. */
		EXPECT_EQ(SIGBUS, WSTOPSIG(status));
		ASSERT_EQ(0, ptrace(PTRACE_GETSIGINFO, self->pid, NULL, &si));
		EXPECT_EQ(BUS_MCEERR_AR, si.si_code);
		EXPECT_EQ((unsigned long)BASE,
			  (unsigned long)si.si_addr & ~(MCE_PAGE - 1));
	}
}

/* Registers come from the kernel's memory, whatever the owner's is like. */
TEST(registers)
{
	struct plan plan = { .kind = ANON, .fd = -1,
			     .prot = PROT_READ | PROT_WRITE };
	struct user_regs_struct regs;
	struct mce_owner o = { 0 };
	struct mce_watch w;
	struct iovec iov;
	__u8 area[MCE_PAGE];
	char path[64];
	__u64 phys, rip;
	int fd;

	ASSERT_EQ(0, mce_pin(0));
	ASSERT_EQ(0, mce_owner_start(&o, fill_memory, &plan));
	ASSERT_EQ(0, mce_phys_of(o.pid, BASE + BAD, &phys));
	ASSERT_EQ(0, mce_arm_phys(phys));
	attach(_metadata, o.pid);
	mce_watch_start(&w);
	ASSERT_EQ(0, ptrace(PTRACE_GETREGS, o.pid, NULL, &regs));
	errno = 0;
	rip = ptrace(PTRACE_PEEKUSER, o.pid, offsetof(struct user, regs.rip),
		     NULL);
	EXPECT_EQ(regs.rip, rip);
	EXPECT_EQ(0, errno);
	iov.iov_base = area;
	iov.iov_len = sizeof(area);
	EXPECT_EQ(0, ptrace(PTRACE_GETREGSET, o.pid, NT_PRSTATUS, &iov));
	EXPECT_EQ(sizeof(regs), iov.iov_len);
	iov.iov_len = sizeof(area);
	EXPECT_EQ(0, ptrace(PTRACE_GETREGSET, o.pid, NT_X86_XSTATE, &iov));
	snprintf(path, sizeof(path), "/proc/%d/auxv", o.pid);
	fd = open(path, O_RDONLY);
	EXPECT_GT(read(fd, area, sizeof(area)), 0);
	close(fd);
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
	EXPECT_EQ(0, w.offlined);
	EXPECT_STREQ("", w.log);
	mce_retire();
	mce_owner_stop(&o);
}

/* A register set into, or out of, a tracer's buffer that is bad. */
TEST(regset_from_poison)
{
	struct plan plan = { .kind = ANON, .fd = -1,
			     .prot = PROT_READ | PROT_WRITE };
	struct mce_owner o = { 0 };
	struct mce_sigbus sb;
	struct mce_watch w;
	struct iovec iov;
	__u64 phys;
	__u8 *buf;
	long ret;
	int err;

	ASSERT_EQ(0, mce_pin(0));
	buf = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, buf);
	ASSERT_EQ(0, mce_owner_start(&o, fill_memory, &plan));
	attach(_metadata, o.pid);
	iov.iov_base = buf;
	iov.iov_len = MCE_PAGE;
	ASSERT_EQ(0, ptrace(PTRACE_GETREGSET, o.pid, NT_PRSTATUS, &iov));
	ASSERT_EQ(0, mce_arm(buf + 64, &phys));
	mce_watch_start(&w);
	ret = ptrace(PTRACE_SETREGSET, o.pid, NT_PRSTATUS, &iov);
	err = errno;
	mce_watch_end(&w, 1);
	mce_outcome("PTRACE_SETREGSET: %ld %s, %ld #MC", ret, mce_errname(err),
		    w.mcs);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EFAULT, err);
	EXPECT_EQ(1, w.mcs);
	EXPECT_TRUE(mce_page_offlined(phys));
	EXPECT_STREQ("", w.log);
	EXPECT_FALSE(mce_load(buf + 64, NULL, &sb));
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	mce_retire();
	mce_owner_stop(&o);
}

#include "mce_main.h"
