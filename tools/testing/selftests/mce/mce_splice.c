// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel reads a file for somebody, by other ways than read(2): sendfile(2)
 * and its relatives, exec, modules, loop devices, huge pages.
 *
 * A clean page is read again from the disk, and nobody notices. Where the data
 * is lost the answer is -EIO, from this call on, and what is in front of it and
 * behind it can be had.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/if_alg.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_lib.h"

#define OLD	0x8008			/* what the disk has */
#define NEW	0x9009			/* what was written since */
#define NPAGES	16
#define TARGET	5
#define AT	(TARGET * MCE_PAGE)
#define BAD	1024
#define FROM	(AT - 2 * MCE_PAGE)	/* a range around the target */
#define LEN	(6 * MCE_PAGE)

FIXTURE(file)
{
	struct mce_file in;
	struct mce_file out;	/* empty */
	int rd, wr;
};

FIXTURE_VARIANT(file)
{
	unsigned long fs;
	unsigned long out;
	size_t chunk;
};

FIXTURE_VARIANT_ADD(file, ext4)
{
	.fs = MCE_FS_EXT4,
	.out = MCE_FS_TMPFS,
	.chunk = 1,
};

FIXTURE_VARIANT_ADD(file, ext4_to_ext4)
{
	.fs = MCE_FS_EXT4,
	.out = MCE_FS_EXT4,
	.chunk = 1,
};

FIXTURE_VARIANT_ADD(file, xfs_large)
{
	.fs = MCE_FS_XFS,
	.out = MCE_FS_XFS,
	.chunk = 16,
};

FIXTURE_SETUP(file)
{
	int fds[2], err;

	ASSERT_EQ(0, mce_pin(0));
	ASSERT_EQ(0, pipe2(fds, O_NONBLOCK));
	self->rd = fds[0];
	self->wr = fds[1];
	err = mce_file_open(&self->in, variant->fs, NPAGES, variant->chunk, OLD);
	if (!err)
		err = mce_file_open(&self->out, variant->out, NPAGES, 1, 1);
	if (err == -ENOENT)
		SKIP(return, "no directory on that file system");
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, ftruncate(self->out.fd, 0));
}

FIXTURE_TEARDOWN(file)
{
	close(self->rd);
	close(self->wr);
	mce_file_close(&self->in);
	if (self->out.buf)
		mce_file_close(&self->out);
}

static void say(const char *what, ssize_t ret, int err, long mcs)
{
	if (ret < 0)
		mce_outcome("%s: -%s, %ld #MC", what, mce_errname(err), mcs);
	else
		mce_outcome("%s: %zd bytes, %ld #MC", what, ret, mcs);
}

/* New data at the target, which the disk does not have. */
static void make_dirty(struct __test_metadata *const _metadata,
		       struct mce_file *f)
{
	mce_fill(f->buf, MCE_PAGE, NEW, AT);
	ASSERT_EQ((ssize_t)MCE_PAGE, pwrite(f->fd, f->buf, MCE_PAGE, AT));
}

/* One machine check, one page out of use, and the file has another. */
static void check_healed(struct __test_metadata *const _metadata,
			 struct mce_file *f, const struct mce_watch *w)
{
	__u64 now;

	EXPECT_EQ(1, w->mcs);
	EXPECT_EQ(1, w->offlined);
	EXPECT_STREQ("", w->log);
	EXPECT_TRUE(mce_page_offlined(f->phys));
	ASSERT_EQ(0, mce_file_phys(f->fd, AT, &now));
	EXPECT_NE(f->phys / MCE_PAGE, now / MCE_PAGE);
	EXPECT_FALSE(mce_page_offlined(now));
}

static void check_copy(struct __test_metadata *const _metadata,
		       struct mce_file *out, ssize_t len)
{
	struct stat st;

	ASSERT_EQ(0, fstat(out->fd, &st));
	EXPECT_EQ(len, st.st_size);
	ASSERT_EQ(len, pread(out->fd, out->buf, NPAGES * MCE_PAGE, 0));
	EXPECT_EQ(-1, mce_differs(out->buf, len, OLD, FROM));
}

enum how { SENDFILE, COPY_FILE_RANGE };

static ssize_t copy(enum how how, struct mce_file *in, off_t from,
		    struct mce_file *out, size_t len)
{
	loff_t off = from;

	if (how == SENDFILE)
		return sendfile(out->fd, in->fd, &off, len);
	return copy_file_range(in->fd, &off, out->fd, NULL, len, 0);
}

static void copy_heals(struct __test_metadata *const _metadata,
		       struct _test_data_file *self, enum how how, const char *what)
{
	struct mce_watch w;
	ssize_t ret;
	int err;

	ASSERT_EQ(0, mce_arm_file(self->in.fd, AT + BAD, &self->in.phys));
	mce_watch_start(&w);
	ret = copy(how, &self->in, FROM, &self->out, LEN);
	err = errno;
	mce_watch_end(&w, 1);
	say(what, ret, err, w.mcs);
	if (ret < 0 && err == EXDEV)
		SKIP(return, "not between these file systems");
	ASSERT_EQ((ssize_t)LEN, ret);
	check_copy(_metadata, &self->out, LEN);
	check_healed(_metadata, &self->in, &w);
}

TEST_F(file, sendfile)
{
	copy_heals(_metadata, self, SENDFILE, "sendfile");
}

TEST_F(file, copy_file_range)
{
	if (variant->fs == MCE_FS_XFS)
		SKIP(return, "shares the blocks, reads nothing");
	copy_heals(_metadata, self, COPY_FILE_RANGE, "copy_file_range");
}

/* What is in front of the lost page is copied, then it is -EIO, again and again. */
TEST_F(file, sendfile_lost)
{
	struct mce_watch w;
	ssize_t ret;
	int err, i;

	make_dirty(_metadata, &self->in);
	ASSERT_EQ(0, mce_arm_file(self->in.fd, AT + BAD, &self->in.phys));
	mce_watch_start(&w);
	ret = copy(SENDFILE, &self->in, FROM, &self->out, LEN);
	err = errno;
	mce_watch_end(&w, 1);
	say("sendfile", ret, err, w.mcs);
	EXPECT_GE(ret, (ssize_t)(AT - FROM));
	EXPECT_LE(ret, (ssize_t)(AT - FROM + BAD));
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(self->in.phys));
	ASSERT_LE((ssize_t)(AT - FROM), pread(self->out.fd, self->out.buf, LEN, 0));
	EXPECT_EQ(-1, mce_differs(self->out.buf, AT - FROM, OLD, FROM));

	mce_watch_start(&w);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-1, copy(SENDFILE, &self->in, AT, &self->out, MCE_PAGE));
		EXPECT_EQ(EIO, errno);
	}
	/* The next page is good, and lost only if it is of the same block. */
	if (mce_block_size(variant->fs) == MCE_PAGE)
		EXPECT_EQ((ssize_t)MCE_PAGE, copy(SENDFILE, &self->in, AT + MCE_PAGE,
						  &self->out, MCE_PAGE));
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
}

/* In the pipe when it goes bad; then one of several ways out of it. */
static void into_pipe(struct __test_metadata *const _metadata,
		      struct _test_data_file *self)
{
	loff_t off = FROM;

	ASSERT_EQ((ssize_t)LEN, splice(self->in.fd, &off, self->wr, NULL, LEN, 0));
	ASSERT_EQ(0, mce_arm_file(self->in.fd, AT + BAD, &self->in.phys));
}

TEST_F(file, splice_read)
{
	struct mce_watch w;
	ssize_t ret;
	int err;

	into_pipe(_metadata, self);
	mce_watch_start(&w);
	ret = read(self->rd, self->in.buf, LEN);
	err = errno;
	mce_watch_end(&w, 1);
	say("splice, read", ret, err, w.mcs);
	ASSERT_EQ((ssize_t)LEN, ret);
	EXPECT_EQ(-1, mce_differs(self->in.buf, LEN, OLD, FROM));
	check_healed(_metadata, &self->in, &w);
}

TEST_F(file, splice_splice)
{
	struct mce_watch w;
	ssize_t ret;
	int err;

	into_pipe(_metadata, self);
	mce_watch_start(&w);
	ret = splice(self->rd, NULL, self->out.fd, NULL, LEN, 0);
	err = errno;
	mce_watch_end(&w, 1);
	say("splice, splice", ret, err, w.mcs);
	ASSERT_EQ((ssize_t)LEN, ret);
	check_copy(_metadata, &self->out, LEN);
	check_healed(_metadata, &self->in, &w);
}

TEST_F(file, splice_vmsplice)
{
	struct iovec iov = { self->in.buf, LEN };
	struct mce_watch w;
	ssize_t ret;
	int err;

	into_pipe(_metadata, self);
	mce_watch_start(&w);
	ret = vmsplice(self->rd, &iov, 1, 0);
	err = errno;
	mce_watch_end(&w, 1);
	say("splice, vmsplice", ret, err, w.mcs);
	ASSERT_EQ((ssize_t)LEN, ret);
	EXPECT_EQ(-1, mce_differs(self->in.buf, LEN, OLD, FROM));
	check_healed(_metadata, &self->in, &w);
}

/* The pipe reader gets the error in its place, and what is behind it. */
TEST_F(file, splice_read_lost)
{
	const size_t front = AT - FROM + BAD, back = LEN - (AT - FROM) - MCE_PAGE;
	struct mce_watch w;
	ssize_t ret;
	int err;

	make_dirty(_metadata, &self->in);
	into_pipe(_metadata, self);
	mce_watch_start(&w);
	ret = read(self->rd, self->in.buf, LEN);
	err = errno;
	mce_watch_end(&w, 1);
	say("splice, read", ret, err, w.mcs);
	ASSERT_EQ((ssize_t)front, ret);
	EXPECT_EQ(-1, mce_differs(self->in.buf, AT - FROM, OLD, FROM));
	EXPECT_EQ(-1, mce_differs(self->in.buf + AT - FROM, BAD, NEW, AT));
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	mce_watch_start(&w);
	EXPECT_EQ(-1, read(self->rd, self->in.buf, LEN));
	EXPECT_EQ(EIO, errno);
	if (mce_block_size(variant->fs) == MCE_PAGE) {
		EXPECT_EQ((ssize_t)back, read(self->rd, self->in.buf, LEN));
		EXPECT_EQ(-1, mce_differs(self->in.buf, back, OLD, AT + MCE_PAGE));
	}
	/* The file says the same as the pipe. */
	EXPECT_EQ(-1, pread(self->in.fd, self->in.buf, MCE_PAGE, AT));
	EXPECT_EQ(EIO, errno);
	mce_watch_end(&w, 0);
	/* A folio that the pipe holds a part of stays in the direct map. */
	EXPECT_GE(variant->chunk > 1 ? 1 : 0, w.mcs);
	EXPECT_STREQ("", w.log);
}

/* Somebody holds on to the clean page: that is their trouble, not the reader's. */
TEST_F(file, pinned)
{
	struct iovec iov = { NULL, MCE_PAGE };
	struct mce_watch w;
	ssize_t ret;
	int err;

	iov.iov_base = mmap(NULL, MCE_PAGE, PROT_READ, MAP_SHARED, self->in.fd, AT);
	ASSERT_NE(MAP_FAILED, iov.iov_base);
	ASSERT_EQ((ssize_t)MCE_PAGE, vmsplice(self->wr, &iov, 1, 0));
	ASSERT_EQ(0, mce_arm(iov.iov_base + BAD, &self->in.phys));
	munmap(iov.iov_base, MCE_PAGE);
	mce_watch_start(&w);
	ret = pread(self->in.fd, self->in.buf, MCE_PAGE, AT);
	err = errno;
	mce_watch_end(&w, 1);
	say("pread", ret, err, w.mcs);
	ASSERT_EQ((ssize_t)MCE_PAGE, ret);
	EXPECT_EQ(-1, mce_differs(self->in.buf, MCE_PAGE, OLD, AT));
	check_healed(_metadata, &self->in, &w);

	mce_watch_start(&w);
	ret = read(self->rd, self->in.buf, MCE_PAGE);
	EXPECT_TRUE(ret < 0 ? errno == EIO :
		    mce_differs(self->in.buf, ret, OLD, AT) < 0);
	mce_watch_end(&w, 0);
	/* What somebody holds stays in the direct map: the reader meets it, once. */
	EXPECT_GE(1, w.mcs);
	EXPECT_STREQ("", w.log);
}

/* exec reads the start of the file to find out what it is. */
TEST_F(file, exec)
{
	static const char script[] = "#!/bin/sh\nexit 7\n";
	struct mce_watch w;
	int fd, status;
	pid_t pid;

	fd = open(self->in.path, O_WRONLY | O_TRUNC);
	ASSERT_GE(fd, 0);
	ASSERT_EQ((ssize_t)sizeof(script) - 1,
		  write(fd, script, sizeof(script) - 1));
	ASSERT_EQ(0, fsync(fd));
	ASSERT_EQ(0, fchmod(fd, 0700));
	close(fd);
	close(self->in.fd);
	self->in.fd = open(self->in.path, O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, mce_arm_file(self->in.fd, 0, &self->in.phys));
	mce_watch_start(&w);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		execl(self->in.path, self->in.path, NULL);
		_exit(errno);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	mce_watch_end(&w, 1);
	if (WIFEXITED(status))
		mce_outcome("exec: exit status %d, %ld #MC", WEXITSTATUS(status),
			    w.mcs);
	else
		mce_outcome("exec: signal %d, %ld #MC", WTERMSIG(status), w.mcs);
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(7, WEXITSTATUS(status));
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(self->in.phys));
}

/* The module loader reads the whole file, and finds that it is no module. */
static int load_module(int fd)
{
	return syscall(__NR_finit_module, fd, "", 0) ? errno : 0;
}

TEST_F(file, module)
{
	struct mce_watch w;
	int err, fd;

	fd = open(self->in.path, O_RDONLY | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, mce_arm_file(fd, AT + BAD, &self->in.phys));
	close(self->in.fd);
	self->in.fd = fd;
	mce_watch_start(&w);
	err = load_module(fd);
	mce_watch_end(&w, 1);
	mce_outcome("finit_module: errno %d, %ld #MC", err, w.mcs);
	if (err == EPERM)
		SKIP(return, "no modules here");
	EXPECT_EQ(ENOEXEC, err);
	check_healed(_metadata, &self->in, &w);
}

TEST_F(file, module_lost)
{
	struct mce_watch w;
	int err, fd;

	make_dirty(_metadata, &self->in);
	fd = open(self->in.path, O_RDONLY | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, mce_arm_file(fd, AT + BAD, &self->in.phys));
	close(self->in.fd);
	self->in.fd = fd;
	mce_watch_start(&w);
	err = load_module(fd);
	mce_watch_end(&w, 1);
	mce_outcome("finit_module: errno %d, %ld #MC", err, w.mcs);
	if (err == EPERM)
		SKIP(return, "no modules here");
	EXPECT_EQ(EIO, err);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
}

/*
 * A write from a registered buffer copies from the kernel's address of a page
 * that is the program's own: the answer is that of any bad buffer.
 */
TEST_F(file, fixed_buffer)
{
	struct mce_sigbus sb;
	struct mce_watch w;
	struct stat st;
	__u8 *buf = self->out.buf;
	ssize_t ret;

	mce_fill(buf, 3 * MCE_PAGE, NEW, 0);
	ASSERT_EQ(0, mce_arm(buf + MCE_PAGE + BAD, &self->out.phys));
	mce_watch_start(&w);
	ret = mce_uring_write_fixed(self->out.fd, buf, 3 * MCE_PAGE, 0);
	if (ret == -EOPNOTSUPP)
		SKIP(return, "no io_uring");
	mce_watch_end(&w, 1);
	say("fixed buffer", ret, -ret, w.mcs);
	EXPECT_TRUE(ret < 0 ? ret == -EFAULT : ret <= (ssize_t)(MCE_PAGE + BAD));
	ASSERT_EQ(0, fstat(self->out.fd, &st));
	EXPECT_EQ(ret < 0 ? 0 : ret, st.st_size);
	if (ret > 0) {
		ASSERT_EQ(ret, pread(self->out.fd, self->in.buf, LEN, 0));
		EXPECT_EQ(-1, mce_differs(self->in.buf, ret, NEW, 0));
	}
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_FALSE(mce_load(buf + MCE_PAGE + BAD, NULL, &sb));
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
}

/* FIDEDUPERANGE compares the files first. */
TEST_F(file, dedupe)
{
	struct {
		struct file_dedupe_range r;
		struct file_dedupe_range_info info;
	} arg = {
		.r = { .src_length = NPAGES * MCE_PAGE, .dest_count = 1 },
	};
	struct mce_watch w;
	ssize_t ret;
	int err;

	if (variant->fs != MCE_FS_XFS)
		SKIP(return, "its files share no blocks");
	mce_fill(self->out.buf, NPAGES * MCE_PAGE, OLD, 0);
	ASSERT_EQ(NPAGES * (ssize_t)MCE_PAGE,
		  pwrite(self->out.fd, self->out.buf, NPAGES * MCE_PAGE, 0));
	arg.info.dest_fd = self->out.fd;
	ASSERT_EQ(0, mce_arm_file(self->in.fd, AT + BAD, &self->in.phys));
	mce_watch_start(&w);
	ret = ioctl(self->in.fd, FIDEDUPERANGE, &arg);
	err = errno;
	mce_watch_end(&w, 1);
	say("dedupe", ret, err, w.mcs);
	EXPECT_EQ(0, ret);
	EXPECT_EQ(FILE_DEDUPE_RANGE_SAME, arg.info.status);
	EXPECT_EQ(NPAGES * MCE_PAGE, arg.info.bytes_deduped);
	check_healed(_metadata, &self->in, &w);
}

/* A socket that hashes what is sent, or spliced, to it. */
FIXTURE(hash)
{
	struct mce_file in;
	int fd;
};

FIXTURE_SETUP(hash)
{
	struct sockaddr_alg addr = {
		.salg_family = AF_ALG, .salg_type = "hash", .salg_name = "sha256",
	};
	int sock;

	ASSERT_EQ(0, mce_pin(0));
	sock = socket(AF_ALG, SOCK_SEQPACKET, 0);
	if (sock < 0 || bind(sock, (struct sockaddr *)&addr, sizeof(addr)))
		SKIP(return, "no hash sockets");
	self->fd = accept(sock, NULL, NULL);
	ASSERT_GE(self->fd, 0);
	close(sock);
	ASSERT_EQ(0, mce_file_open(&self->in, MCE_FS_EXT4, NPAGES, 1, OLD));
}

FIXTURE_TEARDOWN(hash)
{
	close(self->fd);
	mce_file_close(&self->in);
}

#define DIGEST	32

/* Returns what sendfile(2) did; the digest only if it took all. */
static ssize_t hash_file(int sock, int fd, __u8 *digest)
{
	off_t off = FROM;
	ssize_t ret = sendfile(sock, fd, &off, LEN);

	if (ret == (ssize_t)LEN && recv(sock, digest, DIGEST, 0) != DIGEST)
		return -2;
	return ret;
}

TEST_F(hash, send)
{
	struct mce_sigbus sb;
	struct mce_watch w;
	__u64 phys;
	ssize_t ret;
	__u8 *buf;
	int err;

	buf = mmap(NULL, 3 * MCE_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, buf);
	mce_fill(buf, 3 * MCE_PAGE, NEW, 0);
	ASSERT_EQ(0, mce_arm(buf + MCE_PAGE + BAD, &phys));
	mce_watch_start(&w);
	ret = send(self->fd, buf + 5, 3 * MCE_PAGE - 10, 0);
	err = errno;
	mce_watch_end(&w, 1);
	say("hash", ret, err, w.mcs);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EFAULT, err);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_FALSE(mce_load(buf + MCE_PAGE + BAD, NULL, &sb));
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_TRUE(mce_sigbus_covers(&sb, buf + MCE_PAGE + BAD));
	/* The socket is as good as before. */
	EXPECT_EQ(100, send(self->fd, buf, 100, 0));
	munmap(buf, 3 * MCE_PAGE);
}

TEST_F(hash, sendfile)
{
	__u8 before[DIGEST], after[DIGEST];
	struct mce_watch w;
	ssize_t ret;
	int err;

	ASSERT_EQ((ssize_t)LEN, hash_file(self->fd, self->in.fd, before));
	ASSERT_EQ(0, mce_arm_file(self->in.fd, AT + BAD, &self->in.phys));
	mce_watch_start(&w);
	ret = hash_file(self->fd, self->in.fd, after);
	err = errno;
	mce_watch_end(&w, 1);
	say("hash", ret, err, w.mcs);
	if (ret != (ssize_t)LEN) {
		EXPECT_TRUE(ret >= 0 || err == EIO);
		EXPECT_EQ((ssize_t)LEN, hash_file(self->fd, self->in.fd, after));
	}
	EXPECT_EQ(0, memcmp(before, after, DIGEST));
	check_healed(_metadata, &self->in, &w);
}

TEST_F(hash, sendfile_lost)
{
	struct mce_watch w;
	__u8 digest[DIGEST];
	ssize_t ret;
	int err, i;

	make_dirty(_metadata, &self->in);
	ASSERT_EQ(0, mce_arm_file(self->in.fd, AT + BAD, &self->in.phys));
	mce_watch_start(&w);
	for (i = 0; i < 2; i++) {
		ret = hash_file(self->fd, self->in.fd, digest);
		err = errno;
		EXPECT_TRUE(ret < 0 ? err == EIO : ret < (ssize_t)LEN);
	}
	mce_watch_end(&w, 1);
	say("hash", ret, err, w.mcs);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_EQ(-1, pread(self->in.fd, self->in.buf, MCE_PAGE, AT));
	EXPECT_EQ(EIO, errno);
}

/*
 * A loop device: a kernel thread reads and writes a file, from and to memory
 * that is not its own.
 */
FIXTURE(loop)
{
	struct mce_file f;
	char dev[32];
	int loop;		/* opened with O_DIRECT */
};

FIXTURE_VARIANT(loop)
{
	unsigned long fs;
	size_t chunk;
};

FIXTURE_VARIANT_ADD(loop, ext4)
{
	.fs = MCE_FS_EXT4,
	.chunk = 1,
};

FIXTURE_VARIANT_ADD(loop, xfs)
{
	.fs = MCE_FS_XFS,
	.chunk = 16,
};

FIXTURE_VARIANT_ADD(loop, tmpfs)
{
	.fs = MCE_FS_TMPFS,
	.chunk = 1,
};

FIXTURE_SETUP(loop)
{
	int ctl, nr, err;

	self->loop = -1;
	ASSERT_EQ(0, mce_pin(0));
	err = mce_file_open(&self->f, variant->fs, NPAGES, variant->chunk, OLD);
	if (err == -ENOENT)
		SKIP(return, "no directory on that file system");
	ASSERT_EQ(0, err);
	ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (ctl < 0)
		SKIP(return, "no loop devices");
	nr = ioctl(ctl, LOOP_CTL_GET_FREE);
	close(ctl);
	ASSERT_GE(nr, 0);
	snprintf(self->dev, sizeof(self->dev), "/dev/loop%d", nr);
	self->loop = open(self->dev, O_RDWR | O_DIRECT | O_CLOEXEC);
	ASSERT_GE(self->loop, 0);
	ASSERT_EQ(0, ioctl(self->loop, LOOP_SET_FD, self->f.fd));
}

FIXTURE_TEARDOWN(loop)
{
	if (self->loop >= 0) {
		ioctl(self->loop, LOOP_CLR_FD);
		close(self->loop);
	}
	mce_file_close(&self->f);
}

TEST_F(loop, read)
{
	struct mce_watch w;
	ssize_t ret;
	int err;

	if (variant->fs == MCE_FS_TMPFS)
		SKIP(return, "has no other copy");
	ASSERT_EQ(0, mce_arm_file(self->f.fd, AT + BAD, &self->f.phys));
	mce_watch_start(&w);
	ret = pread(self->loop, self->f.buf, LEN, FROM);
	err = errno;
	mce_watch_end(&w, 1);
	say("read of loop", ret, err, w.mcs);
	ASSERT_EQ((ssize_t)LEN, ret);
	EXPECT_EQ(-1, mce_differs(self->f.buf, LEN, OLD, FROM));
	if (mce_counts_exactly())
		check_healed(_metadata, &self->f, &w);
}

TEST_F(loop, read_lost)
{
	struct mce_watch w;
	ssize_t ret;
	int err, i;

	make_dirty(_metadata, &self->f);
	ASSERT_EQ(0, mce_arm_file(self->f.fd, AT + BAD, &self->f.phys));
	mce_watch_start(&w);
	for (i = 0; i < 2; i++) {
		ret = pread(self->loop, self->f.buf, MCE_PAGE, AT);
		err = errno;
		EXPECT_EQ(-1, ret);
		EXPECT_EQ(EIO, err);
	}
	mce_watch_end(&w, 1);
	say("read of loop", ret, err, w.mcs);
	if (mce_counts_exactly())
		EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	/* The next page is good, unless it is of the same block. */
	EXPECT_EQ(mce_block_size(variant->fs) > MCE_PAGE ? -1 : (ssize_t)MCE_PAGE,
		  pread(self->loop, self->f.buf, MCE_PAGE, AT + MCE_PAGE));
}

/* A write that could not be done is not reported as done. */
TEST_F(loop, write)
{
	struct mce_sigbus sb;
	struct mce_watch w;
	__u8 *back = self->f.buf + 4 * MCE_PAGE;
	ssize_t ret;
	int err;

	mce_fill(self->f.buf, 3 * MCE_PAGE, NEW, 0);
	ASSERT_EQ(0, mce_arm(self->f.buf + MCE_PAGE + BAD, &self->f.phys));
	mce_watch_start(&w);
	ret = pwrite(self->loop, self->f.buf, 3 * MCE_PAGE, 0);
	err = errno;
	mce_watch_end(&w, 1);
	say("write to loop", ret, err, w.mcs);
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EIO, err);
	if (mce_counts_exactly())
		EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	/* The page behind is as it was. */
	ASSERT_EQ((ssize_t)MCE_PAGE, pread(self->f.fd, back, MCE_PAGE,
					   2 * MCE_PAGE));
	EXPECT_EQ(-1, mce_differs(back, MCE_PAGE, OLD, 2 * MCE_PAGE));
	EXPECT_FALSE(mce_load(self->f.buf + MCE_PAGE + BAD, NULL, &sb));
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	/* And the next one works. */
	EXPECT_EQ((ssize_t)MCE_PAGE, pwrite(self->loop, self->f.buf, MCE_PAGE, AT));
}

/* Huge pages: one base page is lost, the others are not. */
#define HUGE	(2UL << 20)

static void huge_read(struct __test_metadata *const _metadata, int fd,
		      __u8 *map, __u8 *buf, size_t bad)
{
	struct mce_watch w;
	__u64 phys;
	ssize_t ret;
	size_t i;
	int err;

	mce_fill(map, HUGE, NEW, 0);
	ASSERT_EQ(0, mce_arm(map + bad, &phys));
	munmap(map, HUGE);
	mce_watch_start(&w);
	ret = pread(fd, buf, MCE_PAGE, bad & ~(MCE_PAGE - 1));
	err = errno;
	mce_watch_end(&w, 1);
	say("pread", ret, err, w.mcs);
	EXPECT_TRUE(ret < 0 ? err == EIO : ret <= (ssize_t)(bad % MCE_PAGE));
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);

	mce_watch_start(&w);
	EXPECT_EQ(-1, pread(fd, buf, MCE_PAGE, bad & ~(MCE_PAGE - 1)));
	EXPECT_EQ(EIO, errno);
	for (i = 0; i < HUGE; i += MCE_PAGE) {
		if (i == (bad & ~(MCE_PAGE - 1)))
			continue;
		ASSERT_EQ((ssize_t)MCE_PAGE, pread(fd, buf, MCE_PAGE, i));
		ASSERT_EQ(-1, mce_differs(buf, MCE_PAGE, NEW, i));
	}
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
	EXPECT_STREQ("", w.log);
	mce_retire();
}

/* A base page in the middle, from its first line, and from another. */
static void hugetlb_read(struct __test_metadata *const _metadata, size_t bad)
{
	__u8 *map, buf[MCE_PAGE];
	int fd;

	ASSERT_EQ(0, mce_pin(0));
	fd = open("/huge/mce-splice", O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		SKIP(return, "no hugetlbfs at /huge");
	unlink("/huge/mce-splice");
	ASSERT_EQ(0, ftruncate(fd, HUGE));
	map = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		SKIP(return, "no huge pages");
	huge_read(_metadata, fd, map, buf, bad);
	close(fd);
}

TEST(hugetlb_first_line)
{
	hugetlb_read(_metadata, 77 * MCE_PAGE);
}

TEST(hugetlb_middle_line)
{
	hugetlb_read(_metadata, 77 * MCE_PAGE + BAD);
}

TEST(shmem_large)
{
	char dir[] = "/tmp/mce-huge-XXXXXX", path[64];
	__u8 *map, buf[MCE_PAGE];
	__u64 phys;
	int fd;

	ASSERT_EQ(0, mce_pin(0));
	ASSERT_NE(NULL, mkdtemp(dir));
	if (mount("none", dir, "tmpfs", 0, "huge=always")) {
		rmdir(dir);
		SKIP(return, "no tmpfs with huge pages");
	}
	snprintf(path, sizeof(path), "%s/f", dir);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, ftruncate(fd, HUGE));
	map = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	mce_fill(map, MCE_PAGE, NEW, 0);
	ASSERT_EQ(0, mce_phys(map, &phys));
	if (!mce_page_large(phys))
		SKIP(return, "got no large folio");
	huge_read(_metadata, fd, map, buf, 77 * MCE_PAGE + BAD);
	close(fd);
	umount2(dir, MNT_DETACH);
	rmdir(dir);
}

#include "mce_main.h"
