// SPDX-License-Identifier: GPL-2.0
/*
 * Machine checks that say less than they should.
 *
 * Without an address nobody knows which page it is, so none can be taken away,
 * and whoever tries again meets it again: everybody has to give up, soon, and say
 * so. Where the address is good to a page only, and where another error hides
 * this one, nothing is lost that the load itself does not know.
 *
 * Only the poison PC can be told what to leave out.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_consumed.h"

#define SEED	0x4e0a
#define BAD	1024UL

/* Nobody has to try more often than this before he knows. */
#define TRIES	4

/* The kernel looks for a reason this often, and once more where it is the kernel. */
#define REASONS	10

#define PATIENCE_MS	15000

enum how { LOAD, COPY_IN, COPY_IN_FILE, READ, SENDFILE, SPLICE, SIGRETURN };

/* What was found out, by a child that may never come back, or be killed */
struct found {
	long ret;
	int err;
	bool loaded;
	struct mce_sigbus sb;
	bool right;		/* what was read is what was written */
};

struct scene {
	struct mce_file f;
	__u8 *buf;		/* two pages, filled from 0 on */
	__u8 *bad;
	struct found *found;
};

static void open_scene(struct __test_metadata *const _metadata, struct scene *s)
{
	ASSERT_EQ(0, mce_pin(0));
	ASSERT_EQ(0, mce_file_open(&s->f, MCE_FS_EXT4, 2, 1, SEED));
	s->buf = mce_anon(2, SEED);
	ASSERT_NE(NULL, s->buf);
	s->found = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, s->found);
}

static void close_scene(struct scene *s)
{
	mce_leave_out(0);
	mce_retire();
	mce_file_close(&s->f);
	munmap(s->buf, 2 * MCE_PAGE);
	munmap(s->found, MCE_PAGE);
}

static int arm(struct scene *s, enum how way)
{
	__u8 *map;

	if (way == SIGRETURN)
		return 0;
	if (way == READ || way == SENDFILE || way == SPLICE)
		return mce_arm_file(s->f.fd, BAD, NULL);
	s->bad = s->buf + BAD;
	if (way == COPY_IN_FILE) {
		map = mmap(NULL, MCE_PAGE, PROT_READ, MAP_SHARED, s->f.fd, 0);
		if (map == MAP_FAILED || madvise(map, MCE_PAGE, MADV_WILLNEED) ||
		    !mce_load(map, NULL, NULL))
			return -1;
		s->bad = map + BAD;
	}
	return mce_arm(s->bad, NULL);
}

/* What the signal frame has the FPU's registers in goes bad. */
static void on_usr1(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)si;
	if (mce_arm((__u8 *)((ucontext_t *)uc)->uc_mcontext.fpregs + 192, NULL))
		_exit(3);
}

static int come_back_from_bad_frame(__u8 *area)
{
	stack_t ss = { .ss_sp = area, .ss_size = 2 * MCE_PAGE };
	struct sigaction act = { .sa_sigaction = on_usr1 };

	act.sa_flags = SA_ONSTACK | SA_SIGINFO;
	if (sigaltstack(&ss, NULL) || sigaction(SIGUSR1, &act, NULL))
		return -1;
	return raise(SIGUSR1);
}

static void go(struct scene *s, enum how way)
{
	struct found *r = s->found;
	int p[2], out = memfd_create("mce", 0);

	signal(SIGBUS, SIG_DFL);
	if (pipe(p))
		_exit(1);
	r->ret = -1;
	errno = 0;
	switch (way) {
	case LOAD:
		r->loaded = mce_load(s->bad, NULL, &r->sb);
		break;
	case COPY_IN:
	case COPY_IN_FILE:
		r->ret = write(p[1], s->bad - BAD, MCE_PAGE);
		break;
	case READ:
		r->ret = pread(s->f.fd, s->f.buf, MCE_PAGE, 0);
		break;
	case SENDFILE:
		r->ret = sendfile(out, s->f.fd, &(off_t){ 0 }, MCE_PAGE);
		break;
	case SPLICE:
		/* The page itself is in the pipe until somebody reads that. */
		if (sendfile(p[1], s->f.fd, &(off_t){ 0 }, MCE_PAGE) != MCE_PAGE)
			_exit(2);
		r->ret = read(p[0], s->f.buf, MCE_PAGE);
		break;
	case SIGRETURN:
		r->ret = come_back_from_bad_frame(s->buf);
		break;
	}
	r->err = errno;
	if (r->ret > 0 && (way == COPY_IN || way == COPY_IN_FILE) &&
	    read(p[0], s->f.buf, r->ret) != r->ret)
		_exit(2);
	if (r->ret > 0 && way == SENDFILE && pread(out, s->f.buf, r->ret, 0) != r->ret)
		_exit(2);
	r->right = r->ret <= 0 || mce_differs(s->f.buf, r->ret, SEED, 0) < 0;
	_exit(0);
}

/* The exit status, minus the signal, or -ETIMEDOUT. */
static int consume(struct scene *s, enum how way, struct mce_watch *w, long pages)
{
	struct timespec ms = { .tv_nsec = 5000000 };
	int i, status = 0;
	pid_t pid;

	memset(s->found, 0, sizeof(*s->found));
	mce_watch_start(w);
	pid = fork();
	if (!pid)
		go(s, way);
	for (i = 0; i < PATIENCE_MS / 5; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			break;
		nanosleep(&ms, NULL);
	}
	if (i == PATIENCE_MS / 5) {
		kill(pid, SIGKILL);
		status = -ETIMEDOUT;
	} else {
		status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
	}
	mce_watch_end(w, pages);
	return status;
}

static void tell(struct scene *s, enum how way, int status, struct mce_watch *w)
{
	struct found *r = s->found;

	if (status == -ETIMEDOUT)
		mce_outcome("NEVER ENDS, %ld #MC", w->mcs);
	else if (status)
		mce_outcome("signal %d, %ld #MC", -status, w->mcs);
	else if (way == LOAD)
		mce_outcome("%s%s, %ld #MC", r->loaded ? "no signal" : "SIGBUS ",
			    r->loaded ? "" : mce_codename(r->sb.code), w->mcs);
	else if (r->ret < 0)
		mce_outcome("-%s, %ld #MC", mce_errname(r->err), w->mcs);
	else
		mce_outcome("%ld bytes, %ld #MC", r->ret, w->mcs);
}

FIXTURE(no_address)
{
	struct scene s;
};

FIXTURE_VARIANT(no_address)
{
	enum how way;
};

FIXTURE_VARIANT_ADD(no_address, load)		{ .way = LOAD };
FIXTURE_VARIANT_ADD(no_address, copy_in)	{ .way = COPY_IN };
FIXTURE_VARIANT_ADD(no_address, copy_in_file)	{ .way = COPY_IN_FILE };
FIXTURE_VARIANT_ADD(no_address, read)		{ .way = READ };
FIXTURE_VARIANT_ADD(no_address, sendfile)	{ .way = SENDFILE };
FIXTURE_VARIANT_ADD(no_address, splice)		{ .way = SPLICE };
FIXTURE_VARIANT_ADD(no_address, sigreturn)	{ .way = SIGRETURN };

FIXTURE_SETUP(no_address)
{
	memset(self, 0, sizeof(*self));
	if (!mce_is_amd())
		SKIP(return, "Intel's have an address, by definition");
	open_scene(_metadata, &self->s);
	if (mce_leave_out(0))
		SKIP(return, "not this machine");
}

FIXTURE_TEARDOWN(no_address)
{
	if (self->s.found)
		close_scene(&self->s);
}

static void no_address(struct __test_metadata *const _metadata, struct scene *s,
		       enum how way, long tries)
{
	struct found *r = s->found;
	struct mce_watch w;
	int status;

	status = consume(s, way, &w, 0);
	mce_leave_out(0);
	tell(s, way, status, &w);
	EXPECT_GE(w.mcs, 1);
	EXPECT_LE(w.mcs, tries);
	EXPECT_STREQ("", w.log);
	if (way == SIGRETURN) {
		EXPECT_TRUE(status == -SIGBUS || status == -SIGSEGV);
		/* Who dumps its core knows which page it is. */
		EXPECT_LE(w.offlined, 1);
		return;
	}
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, w.offlined);
	EXPECT_TRUE(r->right);
	if (way == LOAD) {
		EXPECT_FALSE(r->loaded);
		EXPECT_EQ(1, r->sb.count);
		return;
	}
	/* The bytes in front may count. */
	EXPECT_LE(r->ret, (long)BAD);
	if (r->ret >= 0)
		return;
	EXPECT_TRUE(r->err == (way == READ ? EIO : EFAULT) ||
		    (r->err == EIO && (way == SENDFILE || way == SPLICE)));
}

TEST_F(no_address, once)
{
	ASSERT_EQ(0, arm(&self->s, variant->way));
	ASSERT_EQ(0, mce_leave_out(MCE_NO_ADDRV));
	no_address(_metadata, &self->s, variant->way, TRIES);
}

/* By the manual that is nothing to recover from. */
TEST(intel_no_address)
{
	struct scene s = { 0 };

	if (mce_is_amd())
		SKIP(return, "AMD's need not have an address");
	open_scene(_metadata, &s);
	ASSERT_EQ(0, arm(&s, LOAD));
	ASSERT_EQ(0, mce_leave_out(MCE_NO_ADDRV));
	mce_load(s.bad, NULL, NULL);
	close_scene(&s);
}

/* A machine check for which there is no error at all */
FIXTURE(no_reason)
{
	struct scene s;
};

FIXTURE_VARIANT(no_reason)
{
	enum how way;
};

FIXTURE_VARIANT_ADD(no_reason, load)		{ .way = LOAD };
FIXTURE_VARIANT_ADD(no_reason, copy_in)		{ .way = COPY_IN };
FIXTURE_VARIANT_ADD(no_reason, read)		{ .way = READ };

FIXTURE_SETUP(no_reason)
{
	memset(self, 0, sizeof(*self));
	if (!mce_is_local())
		SKIP(return, "of a broadcast one CPU at least has to know");
	open_scene(_metadata, &self->s);
	if (mce_leave_out(0))
		SKIP(return, "not this machine");
}

FIXTURE_TEARDOWN(no_reason)
{
	if (self->s.found)
		close_scene(&self->s);
}

TEST_F(no_reason, once)
{
	ASSERT_EQ(0, arm(&self->s, variant->way));
	ASSERT_EQ(0, mce_leave_out(MCE_NO_BANK));
	no_address(_metadata, &self->s, variant->way,
		   TRIES * REASONS);
}

/* The page is known: it is the address that was touched, and a clean page heals. */
static void expect_known(struct __test_metadata *const _metadata, struct scene *s,
			 enum how way)
{
	struct found *r = s->found;

	EXPECT_TRUE(r->right);
	if (way == LOAD) {
		EXPECT_FALSE(r->loaded);
		EXPECT_EQ(1, r->sb.count);
		EXPECT_EQ(BUS_MCEERR_AR, r->sb.code);
		EXPECT_EQ(s->bad, r->sb.addr);
	} else if (way == COPY_IN) {
		EXPECT_TRUE(r->ret < 0 ? r->err == EFAULT : r->ret <= (long)BAD);
	} else {
		EXPECT_EQ((long)MCE_PAGE, r->ret);
	}
}

/*
 * The bank has an error already, of another page, that nobody had to be told of.
 * The one that the load meets is lost, but for the load, which meets it again.
 */
FIXTURE(latent)
{
	struct scene s;
};

FIXTURE_VARIANT(latent)
{
	enum how way;
	__u64 left_out;
};

FIXTURE_VARIANT_ADD(latent, load)	{ .way = LOAD };
FIXTURE_VARIANT_ADD(latent, copy_in)	{ .way = COPY_IN };
FIXTURE_VARIANT_ADD(latent, read)	{ .way = READ };
FIXTURE_VARIANT_ADD(latent, load_hidden)	{ .way = LOAD, .left_out = MCE_NO_STICKY };
FIXTURE_VARIANT_ADD(latent, copy_in_hidden)	{ .way = COPY_IN, .left_out = MCE_NO_STICKY };
FIXTURE_VARIANT_ADD(latent, read_hidden)	{ .way = READ, .left_out = MCE_NO_STICKY };

FIXTURE_SETUP(latent)
{
	memset(self, 0, sizeof(*self));
	open_scene(_metadata, &self->s);
	if (mce_leave_out(0))
		SKIP(return, "not this machine");
}

FIXTURE_TEARDOWN(latent)
{
	if (self->s.found)
		close_scene(&self->s);
}

TEST_F(latent, once)
{
	/* AMD's bank tells of the more severe one of the two. */
	long mcs = mce_is_amd() ? 1 : 2;
	struct mce_watch w;
	__u64 other;
	int status;

	ASSERT_EQ(0, mce_phys(self->s.buf + MCE_PAGE, &other));
	ASSERT_EQ(0, arm(&self->s, variant->way));
	ASSERT_EQ(0, mce_leave_out(variant->left_out));
	ASSERT_EQ(0, mce_latent(other));
	status = consume(&self->s, variant->way, &w, 1);
	mce_leave_out(0);
	tell(&self->s, variant->way, status, &w);
	EXPECT_EQ(0, status);
	EXPECT_EQ(mcs, w.mcs);
	EXPECT_GE(w.offlined, 1);
	EXPECT_STREQ("", w.log);
	expect_known(_metadata, &self->s, variant->way);
}

/* An address that is good to a page: the lower bits may be anything. */
FIXTURE(page_lsb)
{
	struct scene s;
};

FIXTURE_VARIANT(page_lsb)
{
	enum how way;
};

FIXTURE_VARIANT_ADD(page_lsb, load)		{ .way = LOAD };
FIXTURE_VARIANT_ADD(page_lsb, copy_in)		{ .way = COPY_IN };
FIXTURE_VARIANT_ADD(page_lsb, copy_in_file)	{ .way = COPY_IN_FILE };
FIXTURE_VARIANT_ADD(page_lsb, read)		{ .way = READ };

FIXTURE_SETUP(page_lsb)
{
	memset(self, 0, sizeof(*self));
	if (mce_is_amd())
		SKIP(return, "AMD's MISC says nothing about that");
	open_scene(_metadata, &self->s);
	if (mce_leave_out(0))
		SKIP(return, "not this machine");
}

FIXTURE_TEARDOWN(page_lsb)
{
	if (self->s.found)
		close_scene(&self->s);
}

TEST_F(page_lsb, once)
{
	struct found *r = self->s.found;
	struct mce_watch w;
	int status;

	ASSERT_EQ(0, arm(&self->s, variant->way));
	if (variant->way == LOAD)
		self->s.bad += 7;
	ASSERT_EQ(0, mce_leave_out(MCE_PAGE_LSB));
	status = consume(&self->s, variant->way, &w, 1);
	mce_leave_out(0);
	tell(&self->s, variant->way, status, &w);
	EXPECT_EQ(0, status);
	EXPECT_EQ(mce_expected("MCE_EXPECT_MCS", 1), w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	expect_known(_metadata, &self->s, variant->way);
	if (variant->way == LOAD)
		EXPECT_EQ(12, r->sb.lsb);
}

#include "mce_main.h"
