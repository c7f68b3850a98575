// SPDX-License-Identifier: GPL-2.0
/*
 * A machine check in the handler of a machine check.
 *
 * The handler logs, records and can be traced; each of these loads memory, and
 * that may be bad as well. A second error that belongs to the program is
 * survived like the first. One in the kernel's own data is the end, but the end
 * says what happened: the machine is not reset without a word.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_lib.h"

#define SEED	0x2004

/* Where the kernel's image lies: KASLR moves both of its addresses. */
static __u64 kernel_symbol_phys(const char *name)
{
	__u64 addr = mce_symbol(name), text = mce_symbol("_text");
	unsigned long long start = 0;
	char line[256];
	FILE *f = fopen("/proc/iomem", "r");

	while (f && !start && fgets(line, sizeof(line), f)) {
		if (strstr(line, "Kernel code"))
			sscanf(line, " %llx", &start);
	}
	if (f)
		fclose(f);
	return addr && text && start ? addr - text + start : 0;
}

/* Sample the user's call chain whenever the kernel calls @function. */
static int sample_calls_of(const char *function)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.kprobe_func = (__u64)(unsigned long)function,
		.sample_period = 1,
		.sample_type = PERF_SAMPLE_CALLCHAIN,
		.exclude_callchain_kernel = 1,
		.disabled = 1,
	};
	char type[16] = "";
	int fd;

	fd = open("/sys/bus/event_source/devices/kprobe/type", O_RDONLY);
	if (fd < 0 || read(fd, type, sizeof(type) - 1) < 1)
		return -1;
	close(fd);
	attr.type = atoi(type);
	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

/* write(2) with @frame as the frame pointer, as if the caller's stack were there */
static long write_in_frame(int fd, const void *buf, size_t len, void *frame)
{
	long ret;

	asm volatile("push %%rbp\n\t"
		     "mov %[frame], %%rbp\n\t"
		     "syscall\n\t"
		     "pop %%rbp"
		     : "=a" (ret)
		     : "0" (SYS_write), "D" (fd), "S" (buf), "d" (len),
		       [frame] "r" (frame)
		     : "rcx", "r11", "memory");
	return ret;
}

static bool offlined_soon(__u64 phys)
{
	int ms;

	for (ms = 0; ms < 3000 && !mce_page_offlined(phys); ms += 10)
		usleep(10000);
	return mce_page_offlined(phys);
}

/*
 * The handler is traced, and the tracer walks a stack that is bad too: the
 * second machine check comes before the first is done with.
 */
TEST(traced_handler)
{
	struct mce_sigbus sb;
	struct mce_watch w;
	__u64 first, second;
	int fds[2], perf;
	void *ring;
	__u8 *buf;
	long ret;

	ASSERT_EQ(0, mce_pin(0));
	perf = sample_calls_of("task_work_add");
	if (perf < 0)
		SKIP(return, "no kprobe events");
	ring = mmap(NULL, 9 * MCE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, perf, 0);
	ASSERT_NE(MAP_FAILED, ring);
	ASSERT_EQ(0, pipe2(fds, O_NONBLOCK));
	buf = mmap(NULL, 2 * MCE_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, buf);
	mce_fill(buf, 2 * MCE_PAGE, SEED, 0);

	ASSERT_EQ(0, ioctl(perf, PERF_EVENT_IOC_ENABLE, 0));
	ASSERT_EQ(0, mce_arm(buf + 1024, &first));
	ASSERT_EQ(0, mce_arm(buf + MCE_PAGE + 512, &second));
	mce_watch_start(&w);
	ret = write_in_frame(fds[1], buf, MCE_PAGE, buf + MCE_PAGE + 512);
	EXPECT_TRUE(offlined_soon(first));
	EXPECT_TRUE(offlined_soon(second));
	mce_watch_end(&w, 2);
	ioctl(perf, PERF_EVENT_IOC_DISABLE, 0);
	mce_outcome("write(2) in a poisoned frame, traced: returned %ld, %ld #MC", ret, w.mcs);

	EXPECT_GE(1024, ret);
	if (ret < 0)
		EXPECT_EQ(-EFAULT, ret);
	/* The tick may add task work, too, and have the stack walked once more. */
	EXPECT_GE(w.mcs, 2);
	EXPECT_LE(w.mcs, 3);
	EXPECT_EQ(2, w.offlined);
	EXPECT_STREQ("", w.log);

	EXPECT_FALSE(mce_load(buf + 1024, NULL, &sb));
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_EQ(buf + 1024, sb.addr);
	EXPECT_FALSE(mce_load(buf + MCE_PAGE + 512, NULL, &sb));
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_EQ(buf + MCE_PAGE + 512, sb.addr);

	munmap(ring, 9 * MCE_PAGE);
	close(perf);
	close(fds[0]);
	close(fds[1]);
}

/*
 * The log of machine checks is bad itself. Nothing can be done about that: the
 * test passes if the machine panics in the function that loads it.
 */
TEST(own_data)
{
	__u64 phys = kernel_symbol_phys("mce_evt_pool");
	struct mce_sigbus sb;
	__u8 *buf;

	if (!phys)
		SKIP(return, "no such symbol");
	ASSERT_EQ(0, mce_pin(0));
	buf = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, buf);
	mce_fill(buf, MCE_PAGE, SEED, 0);
	ASSERT_EQ(0, mce_arm(buf, NULL));
	ASSERT_EQ(0, mce_arm_phys(phys));
	mce_load(buf, NULL, &sb);
	ASSERT_TRUE(false) TH_LOG("the machine lives");
}

#include "mce_main.h"
