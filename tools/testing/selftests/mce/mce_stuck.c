// SPDX-License-Identifier: GPL-2.0
/*
 * A bad page that cannot be taken out of service.
 *
 * memory_failure() is made to refuse with a filter of hwpoison-inject that no
 * page passes, as it does on its own for pages that it does not know how to
 * unmap. So the page stays mapped, and each try meets the poison again. Whoever
 * tries again after a short copy has to stop, and say so.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "mce_consumed.h"

#define SEED	0x2009
#define FILTER	"/sys/kernel/debug/hwpoison/corrupt-filter-"

/* Nobody has to try more often than this before he knows. */
#define TRIES	4

static bool put(const char *name, const char *val)
{
	char path[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), FILTER "%s", name);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return false;
	n = write(fd, val, strlen(val));
	close(fd);
	return n > 0;
}

static bool refuse(bool on)
{
	return put("flags-mask", on ? "0xffffffffffffffff" : "0") &&
	       put("flags-value", on ? "0xffffffffffffffff" : "0") &&
	       put("enable", on ? "1" : "0");
}

FIXTURE(stuck)
{
	__u8 *buf;
};

FIXTURE_VARIANT(stuck)
{
	const char *what;
	/* Use the page at @bad; its line at 1024 is the bad one. */
	long (*call)(__u8 *bad);
	/* Bytes in front of it may count. */
	long most;
};

static long result(long ret)
{
	return ret < 0 ? -errno : ret;
}

static long file_write(unsigned long fs, __u8 *bad)
{
	char dir[PATH_MAX - 64], path[PATH_MAX];
	long ret;
	int fd;

	if (!mce_dir_on(fs, dir, sizeof(dir)))
		return -ENODEV;
	snprintf(path, sizeof(path), "%s/mce-stuck-%d", dir, getpid());
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	unlink(path);
	ret = result(write(fd, bad, MCE_PAGE));
	close(fd);
	return ret;
}

static long do_tmpfs(__u8 *bad) { return file_write(MCE_FS_TMPFS, bad); }
static long do_ext4(__u8 *bad) { return file_write(MCE_FS_EXT4, bad); }
static long do_xfs(__u8 *bad) { return file_write(MCE_FS_XFS, bad); }

static long do_pipe(__u8 *bad)
{
	long ret;
	int p[2];

	if (pipe(p))
		return -errno;
	ret = result(write(p[1], bad, MCE_PAGE));
	close(p[0]);
	close(p[1]);
	return ret;
}

static long do_path(__u8 *bad)
{
	return result(open((char *)bad + 1024, O_RDONLY));
}

static long do_nanosleep(__u8 *bad)
{
	return result(syscall(SYS_nanosleep, bad + 1024, NULL));
}

static long do_mount(__u8 *bad)
{
	return result(syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, bad + 1024));
}

static long do_process_vm(__u8 *bad)
{
	struct iovec from = { bad, MCE_PAGE }, to = { bad + MCE_PAGE, MCE_PAGE };

	return result(process_vm_writev(getpid(), &from, 1, &to, 1, 0));
}

static long futex(__u8 *bad, int op, __u32 val, void *arg4, void *uaddr2,
		  __u32 val3)
{
	return result(syscall(SYS_futex, bad, op, val, arg4, uaddr2, val3));
}

static long do_futex_wait(__u8 *bad)
{
	return futex(bad + 1024, FUTEX_WAIT, 1, NULL, NULL, 0);
}

static long do_futex_wake_op(__u8 *bad)
{
	return futex(bad, FUTEX_WAKE_OP, 1, (void *)1, bad + 1024,
		     FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 0));
}

static long do_futex_wake_op_or(__u8 *bad)
{
	return futex(bad, FUTEX_WAKE_OP, 1, (void *)1, bad + 1024,
		     FUTEX_OP(FUTEX_OP_OR, 1, FUTEX_OP_CMP_EQ, 0));
}

static long do_futex_requeue(__u8 *bad)
{
	return futex(bad + 1024, FUTEX_CMP_REQUEUE, 1, (void *)1, bad, 1);
}

static long do_futex_lock_pi(__u8 *bad)
{
	return futex(bad + 1024, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
}

static long do_futex_unlock_pi(__u8 *bad)
{
	return futex(bad + 1024, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
}

static long do_futex_requeue_pi(__u8 *bad)
{
	return futex(bad, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, bad + 1024,
		     *(__u32 *)bad);
}

static long do_uffdio_copy(__u8 *bad)
{
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_copy copy = { 0 };
	__u8 *dst;
	long ret;
	int fd;

	fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	ioctl(fd, UFFDIO_API, &api);
	dst = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	reg.range.start = (unsigned long)dst;
	reg.range.len = MCE_PAGE;
	ioctl(fd, UFFDIO_REGISTER, &reg);
	copy.dst = (unsigned long)dst;
	copy.src = (unsigned long)bad;
	copy.len = MCE_PAGE;
	ret = result(ioctl(fd, UFFDIO_COPY, &copy));
	close(fd);
	return ret;
}

#define STUCK(name, max)	\
	FIXTURE_VARIANT_ADD(stuck, name)	\
	{ .what = #name, .call = do_##name, .most = max }

STUCK(tmpfs, 1024);
STUCK(ext4, 1024);
STUCK(xfs, 1024);
STUCK(pipe, 0);
STUCK(path, 0);
STUCK(nanosleep, 0);
STUCK(mount, 0);
STUCK(process_vm, 1024);
STUCK(futex_wait, 0);
STUCK(futex_wake_op, 0);
STUCK(futex_wake_op_or, 0);
STUCK(futex_requeue, 0);
STUCK(futex_lock_pi, 0);
STUCK(futex_unlock_pi, 0);
STUCK(futex_requeue_pi, 0);
STUCK(uffdio_copy, 0);

FIXTURE_SETUP(stuck)
{
	ASSERT_EQ(0, mce_pin(0));
	self->buf = mce_anon(2, SEED);
	ASSERT_NE(NULL, self->buf);
	if (!refuse(false))
		SKIP(return, "needs CONFIG_HWPOISON_INJECT");
}

FIXTURE_TEARDOWN(stuck)
{
	refuse(false);
	mce_retire();
	munmap(self->buf, 2 * MCE_PAGE);
}

TEST_F(stuck, gives_up)
{
	struct mce_watch w;
	long ret;

	ASSERT_EQ(0, mce_arm(self->buf + 1024, NULL));
	ASSERT_TRUE(refuse(true));
	mce_watch_start(&w);
	ret = variant->call(self->buf);
	mce_watch_end(&w, 0);
	refuse(false);
	if (ret == -ENODEV)
		SKIP(return, "no directory on that file system");
	mce_tell(&w, variant->what, ret, -ret);
	EXPECT_GE(w.mcs, 1);
	EXPECT_LE(w.mcs, TRIES);
	EXPECT_EQ(0, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_EQ(0, __atomic_load_n(&mce_signals, __ATOMIC_SEQ_CST));
	EXPECT_LE(ret, variant->most);
	EXPECT_TRUE(ret >= 0 || ret == -EFAULT);
}

#include "mce_main.h"
