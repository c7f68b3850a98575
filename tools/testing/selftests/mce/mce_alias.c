// SPDX-License-Identifier: GPL-2.0
/*
 * Code that reads all of a page and cannot stop: a page goes bad after it was
 * mapped, and before, while or after it is read.
 *
 * With mce_alias.ko from test_modules/ one step at a time. What the kernel reads
 * for others by itself, at random times: there every result is the right one or
 * an error.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_alg.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_lib.h"

#define STEPS	"/sys/kernel/debug/mce_alias"
#define SEED	0xa11a5
#define WORDS	(MCE_PAGE / sizeof(__u64))
#define HUGE	(2UL << 20)

static int load_module(void)
{
	char path[PATH_MAX], *base;
	ssize_t n;
	int fd;

	if (!access(STEPS, W_OK))
		return 0;
	n = readlink("/proc/self/exe", path, sizeof(path) - 64);
	if (n < 0)
		return -1;
	path[n] = '\0';
	base = strrchr(path, '/') + 1;
	strcpy(base, "mce_alias.ko");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		strcpy(base, "test_modules/mce_alias.ko");
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST))
		return -1;
	close(fd);
	return access(STEPS, W_OK);
}

struct said {
	int mapped, real;
	unsigned long long sum;
};

static int step(int fd, const char *what, struct said *said)
{
	char line[64] = "";

	if (write(fd, what, strlen(what)) < 0)
		return -errno;
	if (read(fd, line, sizeof(line) - 1) < 0 ||
	    sscanf(line, "%d %llu %d", &said->mapped, &said->sum, &said->real) != 3)
		return -EIO;
	return 0;
}

static int step_map(int fd, const void *addr, struct said *said)
{
	char line[64];

	snprintf(line, sizeof(line), "map 0x%lx", (unsigned long)addr);
	return step(fd, line, said);
}

static unsigned long long sum_of(const void *page)
{
	const __u64 *p = page;
	unsigned long long sum = 0;
	unsigned int i;

	for (i = 0; i < WORDS; i++)
		sum += p[i];
	return sum;
}

FIXTURE(step)
{
	__u8 *buf, *area;
	int fd[2];
};

FIXTURE_VARIANT(step)
{
	const char *how;
	bool huge;
};

FIXTURE_VARIANT_ADD(step, words) { .how = "words" };
FIXTURE_VARIANT_ADD(step, copy) { .how = "copy" };
FIXTURE_VARIANT_ADD(step, vector) { .how = "vector" };
FIXTURE_VARIANT_ADD(step, huge) { .how = "words", .huge = true };

FIXTURE_SETUP(step)
{
	ASSERT_EQ(0, mce_pin(0));
	self->area = MAP_FAILED;
	self->fd[0] = -1;
	self->fd[1] = -1;
	if (load_module())
		SKIP(return, "needs mce_alias.ko");
	self->fd[0] = open(STEPS, O_RDWR);
	self->fd[1] = open(STEPS, O_RDWR);
	ASSERT_LE(0, self->fd[1]);
	self->area = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->area);
	self->buf = (__u8 *)(((unsigned long)self->area + HUGE - 1) & ~(HUGE - 1));
	madvise(self->buf, HUGE, variant->huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	mce_fill(self->buf, 8 * MCE_PAGE, SEED, 0);
}

FIXTURE_TEARDOWN(step)
{
	close(self->fd[0]);
	close(self->fd[1]);
	if (self->area != MAP_FAILED)
		munmap(self->area, 2 * HUGE);
	mce_retire();
}

/* Nothing is wrong. */
TEST_F(step, good)
{
	struct mce_watch w;
	struct said said;
	int i;

	mce_watch_start(&w);
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, step_map(self->fd[0], self->buf + i * MCE_PAGE, &said));
		EXPECT_EQ(1, said.mapped);
		ASSERT_EQ(0, step(self->fd[0], variant->how, &said));
		EXPECT_EQ(sum_of(self->buf + i * MCE_PAGE), said.sum);
		ASSERT_EQ(0, step(self->fd[0], "unmap", &said));
		EXPECT_EQ(1, said.real);
	}
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
}

/* It goes bad when it is mapped. */
TEST_F(step, between)
{
	__u8 *bad = self->buf + 5 * MCE_PAGE;
	struct said first, second, end;
	unsigned long long sum;
	struct mce_watch w;
	__u64 phys;

	sum = sum_of(self->buf + 4 * MCE_PAGE);
	ASSERT_EQ(0, step_map(self->fd[0], bad, &first));
	ASSERT_EQ(0, mce_arm(bad + 1024, &phys));
	mce_watch_start(&w);
	ASSERT_EQ(0, step(self->fd[0], variant->how, &first));
	/* And another time */
	ASSERT_EQ(0, step(self->fd[0], "words", &second));
	ASSERT_EQ(0, step(self->fd[0], "unmap", &end));
	mce_watch_end(&w, 1);
	mce_outcome("%s: %s, %ld #MC", variant->how,
		    end.real ? "TAKEN FOR REAL" : "not real", w.mcs);
	EXPECT_EQ(0, end.real);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(phys));

	/* The page beside it is as it was, and the bad one is not mapped again. */
	mce_watch_start(&w);
	ASSERT_EQ(0, step_map(self->fd[0], bad - MCE_PAGE, &first));
	ASSERT_EQ(0, step(self->fd[0], variant->how, &first));
	EXPECT_EQ(sum, first.sum);
	ASSERT_EQ(0, step(self->fd[0], "unmap", &first));
	EXPECT_EQ(1, first.real);
	if (!step_map(self->fd[0], bad, &first))
		EXPECT_EQ(0, first.mapped);
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
	/* A huge page that is held is not split, so its owner meets the error anew. */
	if (!variant->huge)
		EXPECT_STREQ("", mce_owner_hears(bad + 1024));
}

/* What it costs, in ticks of the time stamp counter, in the log only */
TEST_F(step, cost)
{
	static const char *const what[] = { "cost map", "cost probe", "cost kmap" };
	struct said said;
	unsigned int i;

	if (strcmp(variant->how, "words") || variant->huge)
		SKIP(return, "once is enough");
	ASSERT_EQ(0, step_map(self->fd[0], self->buf, &said));
	for (i = 0; i < ARRAY_SIZE(what); i++) {
		ASSERT_EQ(0, step(self->fd[0], what[i], &said));
		ASSERT_EQ(0, step(self->fd[0], what[i], &said));
		TH_LOG("%s: %llu ticks for 1000 pages", what[i], said.sum);
	}
	ASSERT_EQ(0, step(self->fd[0], "unmap", &said));
	EXPECT_EQ(1, said.real);
}

/* Unmapped before it goes bad: what was read is real. */
TEST_F(step, after)
{
	__u8 *bad = self->buf + 5 * MCE_PAGE;
	struct said said;

	ASSERT_EQ(0, step_map(self->fd[0], bad, &said));
	ASSERT_EQ(0, step(self->fd[0], variant->how, &said));
	ASSERT_EQ(0, step(self->fd[0], "unmap", &said));
	ASSERT_EQ(0, mce_arm(bad + 1024, NULL));
	EXPECT_EQ(1, said.real);
	EXPECT_NE(0, said.sum);
}

/* Another CPU has the translation from before, and meets it as well, once. */
TEST_F(step, two_cpus)
{
	__u8 *bad = self->buf + 5 * MCE_PAGE;
	struct said said[2];
	struct mce_watch w;
	unsigned int i;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one CPU");
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, mce_pin(i));
		ASSERT_EQ(0, step_map(self->fd[i], bad, &said[i]));
		ASSERT_EQ(0, step(self->fd[i], variant->how, &said[i]));
		EXPECT_EQ(sum_of(bad), said[i].sum);
	}
	ASSERT_EQ(0, mce_arm(bad + 1024, NULL));
	mce_watch_start(&w);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, mce_pin(i));
		ASSERT_EQ(0, step(self->fd[i], variant->how, &said[i]));
		ASSERT_EQ(0, step(self->fd[i], "unmap", &said[i]));
		EXPECT_EQ(0, said[i].real);
	}
	mce_watch_end(&w, 1);
	mce_outcome("two CPUs: %ld #MC", w.mcs);
	EXPECT_LE(1, w.mcs);
	EXPECT_GE(2, w.mcs);
	EXPECT_STREQ("", w.log);
	mce_pin(0);
}

/* As many as there may ever be, and some more */
TEST_F_TIMEOUT(step, many, 120)
{
	const int n = 40;
	struct said said;
	struct mce_watch w;
	int i;

	if (strcmp(variant->how, "words") || variant->huge)
		SKIP(return, "once is enough");
	mce_fill(self->buf, n * MCE_PAGE, SEED, 0);
	mce_watch_start(&w);
	for (i = 0; i < n; i++) {
		ASSERT_EQ(0, step_map(self->fd[0], self->buf + i * MCE_PAGE, &said));
		ASSERT_EQ(0, mce_arm(self->buf + i * MCE_PAGE + 64 * (i % 64), NULL));
		ASSERT_EQ(0, step(self->fd[0], variant->how, &said));
		ASSERT_EQ(0, step(self->fd[0], "unmap", &said));
		EXPECT_EQ(0, said.real);
	}
	mce_watch_end(&w, n);
	mce_outcome("many: %ld #MC", w.mcs);
	EXPECT_EQ(n, w.mcs);
	EXPECT_STREQ("", w.log);
}

/* --- at random times --- */

#define RACE_PAGES	16
#define RACE_LEN	(RACE_PAGES * MCE_PAGE)
#define ROUNDS		24

FIXTURE(race)
{
	int fd;
	__u8 want[RACE_LEN];
};

enum consumer { HASH, CIPHER, ZRAM };

FIXTURE_VARIANT(race)
{
	const char *what;
	enum consumer consumer;
	const char *type, *name;
};

FIXTURE_VARIANT_ADD(race, hash) {
	.what = "hash", .consumer = HASH, .type = "hash", .name = "sha256",
};

FIXTURE_VARIANT_ADD(race, cipher) {
	.what = "cipher", .consumer = CIPHER, .type = "skcipher", .name = "ctr(aes)",
};

FIXTURE_VARIANT_ADD(race, zram) { .what = "zram", .consumer = ZRAM };

static int open_alg(const char *type, const char *name, bool key)
{
	struct sockaddr_alg addr = { .salg_family = AF_ALG };
	const __u8 secret[16] = { 1 };
	int sock, fd;

	strcpy((char *)addr.salg_type, type);
	strcpy((char *)addr.salg_name, name);
	sock = socket(AF_ALG, SOCK_SEQPACKET, 0);
	if (sock < 0 || bind(sock, (struct sockaddr *)&addr, sizeof(addr)) ||
	    (key && setsockopt(sock, SOL_ALG, ALG_SET_KEY, secret, sizeof(secret))))
		return -1;
	fd = accept(sock, NULL, NULL);
	close(sock);
	return fd;
}

FIXTURE_SETUP(race)
{
	if (variant->consumer == ZRAM) {
		mce_put("/sys/block/zram0/reset", "1");
		if (mce_put("/sys/block/zram0/disksize", "4M"))
			SKIP(return, "no zram");
		self->fd = open("/dev/zram0", O_RDWR | O_DIRECT);
	} else {
		self->fd = open_alg(variant->type, variant->name,
				    variant->consumer == CIPHER);
	}
	if (self->fd < 0)
		SKIP(return, "no such sockets");
}

FIXTURE_TEARDOWN(race)
{
	close(self->fd);
	if (variant->consumer == ZRAM)
		mce_put("/sys/block/zram0/reset", "1");
	mce_retire();
}

/* The pages stay in the socket until the result is asked for. */
static int encrypt(int fd, __u8 *buf, __u8 *out)
{
	char control[CMSG_SPACE(4) + CMSG_SPACE(4 + 16)] = { 0 };
	struct msghdr msg = {
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	const __u32 op = ALG_OP_ENCRYPT, iv = 16;
	struct iovec iov = { buf, RACE_LEN };
	int p[2], err = 0;
	ssize_t n;

	*c = (struct cmsghdr) {
		.cmsg_len = CMSG_LEN(4), .cmsg_level = SOL_ALG,
		.cmsg_type = ALG_SET_OP,
	};
	memcpy(CMSG_DATA(c), &op, 4);
	c = CMSG_NXTHDR(&msg, c);
	*c = (struct cmsghdr) {
		.cmsg_len = CMSG_LEN(4 + 16), .cmsg_level = SOL_ALG,
		.cmsg_type = ALG_SET_IV,
	};
	memcpy(CMSG_DATA(c), &iv, 4);
	if (sendmsg(fd, &msg, MSG_MORE) || pipe(p))
		return -EPROTO;
	n = vmsplice(p[1], &iov, 1, 0);
	if (n == (ssize_t)RACE_LEN)
		n = splice(p[0], NULL, fd, NULL, RACE_LEN, 0);
	if (n != (ssize_t)RACE_LEN)
		err = n < 0 ? -errno : -EIO;
	close(p[0]);
	close(p[1]);
	/* What is there has to be fetched, so that the socket can go on. */
	if (err)
		send(fd, NULL, 0, 0);
	n = recv(fd, out, err && n > 0 ? n : (ssize_t)RACE_LEN, err ? MSG_DONTWAIT : 0);
	if (!err && n != (ssize_t)RACE_LEN)
		err = n < 0 ? -errno : -EPROTO;
	return err;
}

static int consume(enum consumer consumer, int fd, __u8 *buf, __u8 *out)
{
	ssize_t n;

	switch (consumer) {
	case HASH:
		if (send(fd, buf, RACE_LEN, 0) != (ssize_t)RACE_LEN)
			return -errno;
		return recv(fd, out, 32, 0) == 32 ? 0 : -errno;
	case CIPHER:
		return encrypt(fd, buf, out);
	default:
		n = pwrite(fd, buf, RACE_LEN, 0);
		if (n != (ssize_t)RACE_LEN)
			return n < 0 ? -errno : -EIO;
		return pread(fd, out, RACE_LEN, 0) == (ssize_t)RACE_LEN ? 0 : -EPROTO;
	}
}

struct arm {
	__u64 phys;
	long delay;
	pthread_barrier_t *start;
	int ret;
};

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void *arm_late(void *arg)
{
	struct arm *arm = arg;
	long end;

	mce_pin(1);
	pthread_barrier_wait(arm->start);
	end = now() + arm->delay;
	while (now() < end)
		;
	arm->ret = mce_arm_phys(arm->phys);
	return NULL;
}

TEST_F_TIMEOUT(race, random, 300)
{
	__u8 *out, *buf;
	pthread_barrier_t start;
	int i, err, good = 0, failed = 0, len;
	struct mce_watch w;
	pthread_t thread;
	struct arm arm;
	long took = 0;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one CPU");
	ASSERT_EQ(0, mce_pin(0));
	srandom(1);
	out = mmap(NULL, RACE_LEN, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, out);
	len = variant->consumer == HASH ? 32 : RACE_LEN;
	pthread_barrier_init(&start, NULL, 2);
	mce_watch_start(&w);
	for (i = -2; i < ROUNDS; i++) {
		buf = mmap(NULL, RACE_LEN, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ASSERT_NE(MAP_FAILED, buf);
		madvise(buf, RACE_LEN, MADV_NOHUGEPAGE);
		mce_fill(buf, RACE_LEN, SEED, 0);
		if (i < 0) {
			/* What is right, and how long it takes */
			took = now();
			ASSERT_EQ(0, consume(variant->consumer, self->fd, buf, out));
			took = now() - took;
			memcpy(self->want, out, len);
			munmap(buf, RACE_LEN);
			continue;
		}
		ASSERT_EQ(0, mce_phys(buf + random() % RACE_LEN, &arm.phys));
		arm.delay = took * (random() % 1000) / 1000;
		arm.start = &start;
		ASSERT_EQ(0, pthread_create(&thread, NULL, arm_late, &arm));
		pthread_barrier_wait(&start);
		memset(out, 0, RACE_LEN);
		err = consume(variant->consumer, self->fd, buf, out);
		pthread_join(thread, NULL);
		ASSERT_EQ(0, arm.ret);
		if (err) {
			EXPECT_TRUE(err == -EFAULT || err == -EIO);
			failed++;
		} else {
			EXPECT_EQ(0, memcmp(out, self->want, len));
			good++;
		}
		munmap(buf, RACE_LEN);
		mce_retire();
	}
	mce_watch_end(&w, 0);
	mce_outcome("%s: %d right, %d failed, %ld #MC", variant->what, good, failed,
		    w.mcs);
	munmap(out, RACE_LEN);
}

#include "mce_main.h"
