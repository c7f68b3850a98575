// SPDX-License-Identifier: GPL-2.0
/*
 * Probes, samplers and debuggers meet a page that has gone bad.
 *
 * They look at programs that do not know of them. What they cannot read they
 * do without; the page leaves service, and the program goes on until it
 * touches the page itself.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/elf.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_lib.h"

#define SEED	0x9009
#define BASE	((__u8 *)0x200000000000UL)
#define ENTRY	1024		/* of the probed function, in its page */
#define UPROBE_TYPE	"/sys/bus/event_source/devices/uprobe/type"
#define TRACEFS		"/sys/kernel/tracing/"

/* mov %rdi,%rax; ret: returns its argument */
static const __u8 function[] = { 0x48, 0x89, 0xf8, 0xc3 };

static long read_number(const char *path)
{
	char text[64] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n > 0 ? strtol(text, NULL, 0) : -1;
}

static int perf_open(struct perf_event_attr *attr, pid_t pid, int cpu)
{
	attr->size = sizeof(*attr);
	return syscall(SYS_perf_event_open, attr, pid, cpu, -1,
		       PERF_FLAG_FD_CLOEXEC);
}

/* Text of a program: a file, mapped, and a function in it. */
FIXTURE(uprobe)
{
	char path[PATH_MAX];
	__u8 *text;
	long type;
	int fd;
};

FIXTURE_VARIANT(uprobe)
{
	unsigned long at;	/* the bad line */
	bool private;		/* the program has a copy of the page, that is bad */
	bool healed;
};

/* Read when the probe is made */
FIXTURE_VARIANT_ADD(uprobe, insn)
{
	.at = ENTRY,
	.healed = true,
};

/* Read when the page is copied for the breakpoint */
FIXTURE_VARIANT_ADD(uprobe, elsewhere)
{
	.at = 3072,
	.healed = true,
};

FIXTURE_VARIANT_ADD(uprobe, private_insn)
{
	.at = ENTRY,
	.private = true,
};

FIXTURE_VARIANT_ADD(uprobe, private_elsewhere)
{
	.at = 3072,
	.private = true,
};

FIXTURE_SETUP(uprobe)
{
	char dir[PATH_MAX - 64];
	__u8 page[MCE_PAGE];

	self->fd = -1;
	self->text = MAP_FAILED;
	ASSERT_EQ(0, mce_pin(0));
	self->type = read_number(UPROBE_TYPE);
	if (self->type < 0)
		SKIP(return, "no uprobes");
	if (!mce_dir_on(MCE_FS_EXT4, dir, sizeof(dir)))
		SKIP(return, "no directory on that file system");
	snprintf(self->path, sizeof(self->path), "%s/mce-probe-%d", dir,
		 getpid());
	self->fd = open(self->path, O_RDWR | O_CREAT | O_TRUNC, 0700);
	ASSERT_GE(self->fd, 0);
	mce_fill(page, MCE_PAGE, SEED, 0);
	memcpy(page + ENTRY, function, sizeof(function));
	ASSERT_EQ((ssize_t)MCE_PAGE, pwrite(self->fd, page, MCE_PAGE, 0));
	ASSERT_EQ(0, fsync(self->fd));
	/* Writable it can be made and unmade, a probe wants it as text is. */
	self->text = mmap(BASE, MCE_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_FIXED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->text);
	if (variant->private)
		self->text[0] ^= 1;
	ASSERT_EQ(0, mprotect(self->text, MCE_PAGE, PROT_READ | PROT_EXEC));
	ASSERT_TRUE(mce_load(self->text, NULL, NULL));
}

FIXTURE_TEARDOWN(uprobe)
{
	mce_retire();
	if (self->text != MAP_FAILED)
		munmap(self->text, MCE_PAGE);
	if (self->fd >= 0) {
		close(self->fd);
		unlink(self->path);
	}
}

static int open_uprobe(const char *path, long type)
{
	struct perf_event_attr attr = { .type = type };

	attr.config1 = (unsigned long)path;	/* uprobe_path */
	attr.config2 = ENTRY;			/* probe_offset */
	return perf_open(&attr, 0, -1);
}

static long call(void *arg)
{
	return ((long (*)(long))(BASE + ENTRY))((long)arg);
}

static void guarded_call(void *arg)
{
	*(long *)arg = call((void *)42);
}

TEST_F(uprobe, register)
{
	struct mce_sigbus sb;
	struct mce_watch w;
	__u64 phys, hits;
	long ret = 0;
	int fd, err;

	ASSERT_EQ(0, mce_arm(self->text + variant->at, &phys));
	mce_watch_start(&w);
	fd = open_uprobe(self->path, self->type);
	err = errno;
	mce_watch_end(&w, 1);
	mce_outcome("uprobe: %s%s, %ld #MC", fd < 0 ? "-" : "",
		    fd < 0 ? mce_errname(err) : "registered", w.mcs);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(phys));
	if (!variant->healed) {
		EXPECT_EQ(-1, fd);
		EXPECT_EQ(EIO, err);
		EXPECT_FALSE(mce_load(self->text + variant->at, NULL, &sb));
		EXPECT_EQ(BUS_MCEERR_AR, sb.code);
		EXPECT_TRUE(mce_sigbus_covers(&sb, self->text + variant->at));
		return;
	}
	ASSERT_GE(fd, 0);
	/* It is hit, and the function works. */
	mce_watch_start(&w);
	EXPECT_TRUE(mce_guard(guarded_call, &ret, NULL));
	EXPECT_EQ(42, ret);
	EXPECT_EQ((ssize_t)sizeof(hits), read(fd, &hits, sizeof(hits)));
	EXPECT_EQ(1, hits);
	EXPECT_EQ(0, close(fd));
	ret = 0;
	EXPECT_TRUE(mce_guard(guarded_call, &ret, NULL));
	EXPECT_EQ(42, ret);
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
	EXPECT_STREQ("", w.log);
}

/* The probe is there; when it goes, the page is compared with the file's. */
TEST_F(uprobe, unregister)
{
	struct mce_watch w;
	__u64 phys;
	long ret = 0;
	int fd;

	if (variant->private)
		SKIP(return, "the page of the file is not in use");
	fd = open_uprobe(self->path, self->type);
	ASSERT_GE(fd, 0);
	EXPECT_TRUE(mce_guard(guarded_call, &ret, NULL));
	EXPECT_EQ(42, ret);
	ASSERT_EQ(0, mce_arm_file(self->fd, variant->at, &phys));
	mce_watch_start(&w);
	EXPECT_EQ(0, close(fd));
	mce_watch_end(&w, 1);
	mce_outcome("uprobe: unregistered, %ld #MC", w.mcs);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(phys));
	ret = 0;
	EXPECT_TRUE(mce_guard(guarded_call, &ret, NULL));
	EXPECT_EQ(42, ret);
}

static int write_to(const char *path, int flags, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | flags);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	close(fd);
	return n < 0 ? -1 : 0;
}

static void call_with(void *arg)
{
	call(arg);
}

/* A probe that is hit wants to know what the program's memory is. */
static void fetch_arg(struct __test_metadata *const _metadata,
		      const char *path, const char *what)
{
	struct mce_sigbus sb;
	char text[PATH_MAX + 64];
	struct mce_watch w;
	__u64 phys;
	__u8 *buf;

	buf = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, buf);
	memset(buf, 'a', 1000);
	snprintf(text, sizeof(text), "p:mce/hit %s:0x%x arg=%s\n", path, ENTRY,
		 what);
	if (access(TRACEFS "uprobe_events", W_OK))
		SKIP(return, "no tracefs");
	ASSERT_EQ(0, write_to(TRACEFS "uprobe_events", O_TRUNC, text));
	ASSERT_EQ(0, write_to(TRACEFS "events/mce/hit/enable", 0, "1"));
	/* Once with nothing wrong. */
	EXPECT_TRUE(mce_guard(call_with, buf, NULL));
	ASSERT_EQ(0, mce_arm(buf, &phys));
	mce_watch_start(&w);
	EXPECT_TRUE(mce_guard(call_with, buf, NULL));
	mce_watch_end(&w, 1);
	mce_outcome("uprobe hit, argument %s: %ld #MC", what, w.mcs);
	EXPECT_EQ(0, write_to(TRACEFS "events/mce/hit/enable", 0, "0"));
	EXPECT_EQ(0, write_to(TRACEFS "uprobe_events", O_TRUNC, ""));
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(phys));
	EXPECT_FALSE(mce_load(buf, NULL, &sb));
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	munmap(buf, MCE_PAGE);
}

TEST_F(uprobe, fetch_word)
{
	if (variant->private || variant->at != ENTRY)
		SKIP(return, "once is enough");
	fetch_arg(_metadata, self->path, "+0(%di):u64");
}

TEST_F(uprobe, fetch_string)
{
	if (variant->private || variant->at != ENTRY)
		SKIP(return, "once is enough");
	fetch_arg(_metadata, self->path, "+0(%di):string");
}

/*
 * BPF helpers. The program gets {address} as its context and returns what the
 * helper returned.
 */
FIXTURE(bpf)
{
	__u8 *buf;
	int prog;
};

FIXTURE_VARIANT(bpf)
{
	int helper;
	const char *name;
	bool kernel;		/* the page's address in the kernel */
};

FIXTURE_VARIANT_ADD(bpf, probe_read_user)
{
	.helper = BPF_FUNC_probe_read_user,
	.name = "bpf_probe_read_user",
};

FIXTURE_VARIANT_ADD(bpf, probe_read_user_str)
{
	.helper = BPF_FUNC_probe_read_user_str,
	.name = "bpf_probe_read_user_str",
};

FIXTURE_VARIANT_ADD(bpf, copy_from_user)
{
	.helper = BPF_FUNC_copy_from_user,
	.name = "bpf_copy_from_user",
};

FIXTURE_VARIANT_ADD(bpf, probe_read_kernel)
{
	.helper = BPF_FUNC_probe_read_kernel,
	.name = "bpf_probe_read_kernel",
	.kernel = true,
};

FIXTURE_VARIANT_ADD(bpf, probe_read_kernel_str)
{
	.helper = BPF_FUNC_probe_read_kernel_str,
	.name = "bpf_probe_read_kernel_str",
	.kernel = true,
};

static int load_prog(int helper)
{
	struct bpf_insn insns[] = {
		/* r3 = ctx->address */
		{ .code = BPF_LDX | BPF_DW | BPF_MEM, .dst_reg = 3,
		  .src_reg = 1 },
		/* r1 = fp - 128, cleared as far as the verifier cares */
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 1,
		  .src_reg = 10 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 1,
		  .imm = -128 },
		/* r2 = 128 */
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 2,
		  .imm = 128 },
		{ .code = BPF_JMP | BPF_CALL, .imm = helper },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SYSCALL,
		.insns = (unsigned long)insns,
		.insn_cnt = ARRAY_SIZE(insns),
		.license = (unsigned long)"GPL",
		.prog_flags = BPF_F_SLEEPABLE,
	};

	return syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

/* What the helper returned; -1 if the program did not run. */
static int run_prog(int prog, __u64 addr)
{
	__u64 ctx = addr;
	union bpf_attr attr = {
		.test = {
			.prog_fd = prog,
			.ctx_in = (unsigned long)&ctx,
			.ctx_size_in = sizeof(ctx),
		},
	};

	if (syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof(attr)))
		return -1;
	return attr.test.retval;
}

/* The segment of /proc/kcore that has a physical address, as RAM. */
static bool kcore_segment(__u64 phys, struct elf64_phdr *ph)
{
	int fd = open("/proc/kcore", O_RDONLY | O_CLOEXEC), i;
	bool found = false;
	struct elf64_hdr eh;

	if (fd < 0)
		return false;
	if (pread(fd, &eh, sizeof(eh), 0) != sizeof(eh))
		eh.e_phnum = 0;
	for (i = 0; i < eh.e_phnum && !found; i++) {
		if (pread(fd, ph, sizeof(*ph), eh.e_phoff + i * sizeof(*ph)) !=
		    sizeof(*ph))
			break;
		/* The kernel has its own image mapped once more, on top. */
		found = ph->p_type == PT_LOAD && phys >= ph->p_paddr &&
			phys < ph->p_paddr + ph->p_filesz &&
			ph->p_vaddr < 0xffffffff80000000UL;
	}
	close(fd);
	return found;
}

FIXTURE_SETUP(bpf)
{
	ASSERT_EQ(0, mce_pin(0));
	self->buf = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, self->buf);
	memset(self->buf, 'b', MCE_PAGE);
	self->prog = load_prog(variant->helper);
	if (self->prog < 0)
		SKIP(return, "no such BPF program: %s", strerror(errno));
}

FIXTURE_TEARDOWN(bpf)
{
	mce_retire();
	munmap(self->buf, MCE_PAGE);
	close(self->prog);
}

TEST_F(bpf, read)
{
	__u64 addr = (unsigned long)self->buf;
	struct mce_sigbus sb;
	struct mce_watch w;
	struct elf64_phdr ph;
	__u64 phys;
	int ret;

	ASSERT_EQ(0, mce_phys(self->buf, &phys));
	if (variant->kernel) {
		if (!kcore_segment(phys, &ph))
			SKIP(return, "no /proc/kcore");
		addr = ph.p_vaddr + (phys - ph.p_paddr);
	}
	/* With nothing wrong: nothing, or the length of the string. */
	EXPECT_GE(run_prog(self->prog, addr), 0);
	ASSERT_EQ(0, mce_arm(self->buf + MCE_LINE, NULL));
	mce_watch_start(&w);
	ret = run_prog(self->prog, addr);
	mce_watch_end(&w, 1);
	mce_outcome("%s: %s%s, %ld #MC", variant->name, ret < 0 ? "-" : "",
		    ret < 0 ? mce_errname(-ret) : "no error", w.mcs);
	EXPECT_EQ(-EFAULT, ret);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(phys));
	EXPECT_FALSE(mce_load(self->buf + MCE_LINE, NULL, &sb));
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
	EXPECT_TRUE(mce_sigbus_covers(&sb, self->buf + MCE_LINE));
}

/* Debuggers of the kernel: a page of a program, by its physical address. */
FIXTURE(debugger)
{
	__u8 *buf;
	__u64 phys;
};

FIXTURE_SETUP(debugger)
{
	ASSERT_EQ(0, mce_pin(0));
	self->buf = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, self->buf);
	mce_fill(self->buf, MCE_PAGE, SEED, 0);
	ASSERT_EQ(0, mce_phys(self->buf, &self->phys));
}

FIXTURE_TEARDOWN(debugger)
{
	mce_retire();
	munmap(self->buf, MCE_PAGE);
}

static void read_page(struct __test_metadata *const _metadata, const char *file,
		      off_t pos, __u8 *buf)
{
	static const __u8 nothing[MCE_PAGE];
	__u8 page[MCE_PAGE];
	struct mce_sigbus sb;
	struct mce_watch w;
	ssize_t ret;
	int fd, err;

	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		SKIP(return, "no %s", file);
	ret = pread(fd, page, MCE_PAGE, pos);
	if (ret < 0)
		SKIP(return, "%s: %s", file, strerror(errno));
	ASSERT_EQ((ssize_t)MCE_PAGE, ret);
	ASSERT_EQ(-1, mce_differs(page, MCE_PAGE, SEED, 0));

	ASSERT_EQ(0, mce_arm(buf + 1024, NULL));
	mce_watch_start(&w);
	ret = pread(fd, page, MCE_PAGE, pos);
	err = errno;
	mce_watch_end(&w, 1);
	mce_outcome("%s: %s%s, %ld #MC", file, ret < 0 ? "-" : "",
		    ret < 0 ? mce_errname(err) : "no error", w.mcs);
	close(fd);
	if (ret < 0) {
		EXPECT_EQ(EFAULT, err);
	} else {
		/* Some read zeros where there is nothing to be had. */
		EXPECT_EQ(0, memcmp(page, nothing, ret));
	}
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_FALSE(mce_load(buf + 1024, NULL, &sb));
	EXPECT_EQ(BUS_MCEERR_AR, sb.code);
}

TEST_F(debugger, dev_mem)
{
	read_page(_metadata, "/dev/mem", self->phys, self->buf);
}

TEST_F(debugger, proc_kcore)
{
	struct elf64_phdr ph;

	if (!kcore_segment(self->phys, &ph))
		SKIP(return, "no /proc/kcore");
	read_page(_metadata, "/proc/kcore",
		  ph.p_offset + (self->phys - ph.p_paddr), self->buf);
}

/*
 * A profiler looks at the stack of a program that is in one long system call.
 * That the page has to go nobody tells the program before it comes back.
 */
#define STACK_PAGES	4
#define STACK_AT	(2 * MCE_PAGE)	/* where the stack pointer is */
#define STACK_BAD	(STACK_AT + 256)
#define DUMP		1024
#define RING_PAGES	128
#define LONG		(16UL << 20)

static long make_stack(void *arg)
{
	__u8 *p = mmap(BASE, STACK_PAGES * MCE_PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	void **out = arg;

	if (p == MAP_FAILED)
		return 1;
	mce_fill(p, STACK_PAGES * MCE_PAGE, SEED, 0);
	*out = mmap(BASE + (1UL << 30), LONG, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE,
		    -1, 0);
	return *out == MAP_FAILED;
}

/* getrandom(2) with a stack, and frame pointer, as told */
static long sleep_long(void *arg)
{
	register long flags asm("rdx") = GRND_INSECURE;
	register long len asm("rsi") = LONG;
	long ret = SYS_getrandom;

	(void)arg;
	asm volatile("push %%rbp\n\t"
		     "mov %%rsp, %%r12\n\t"
		     "mov %[sp], %%rsp\n\t"
		     "mov %[fp], %%rbp\n\t"
		     "syscall\n\t"
		     "mov %%r12, %%rsp\n\t"
		     "pop %%rbp"
		     : "+a" (ret)
		     : "D" (BASE + (1UL << 30)), "r" (len), "r" (flags),
		       [sp] "r" (BASE + STACK_AT), [fp] "r" (BASE + STACK_BAD)
		     : "rcx", "r11", "r12", "memory");
	return ret;
}

struct sample {
	struct perf_event_header h;
	__u64 nr;
	__u64 rest[];
};

/* Number of samples; the longest stack in *@most, the number of short ones */
static int count_samples(struct perf_event_mmap_page *ring, __u64 *most,
			 int *cut)
{
	__u8 *data = (__u8 *)ring + ring->data_offset;
	__u64 tail = 0, head = __atomic_load_n(&ring->data_head,
					       __ATOMIC_ACQUIRE);
	int nr = 0;

	*most = 0;
	*cut = 0;
	while (tail + sizeof(struct sample) <= head &&
	       head <= ring->data_size) {
		struct sample *s = (struct sample *)(data + tail);
		__u64 size, got = 0;

		if (!s->h.size)
			break;
		if (s->h.type == PERF_RECORD_SAMPLE) {
			nr++;
			size = s->rest[s->nr];
			if (size)
				got = s->rest[s->nr + 1 + size / 8];
			if (got > *most)
				*most = got;
			if (got < DUMP)
				(*cut)++;
		}
		tail += s->h.size;
	}
	return nr;
}

TEST(perf_user_stack)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = 2000000,
		.sample_type = PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_STACK_USER,
		.sample_stack_user = DUMP,
		.exclude_callchain_kernel = 1,
		.disabled = 1,
	};
	struct perf_event_mmap_page *ring;
	static void *out;
	struct mce_owner o = { 0 };
	struct mce_answer a;
	struct mce_watch w;
	int fd, nr, cut;
	__u64 phys, most;

	ASSERT_EQ(0, mce_pin(0));
	ASSERT_EQ(0, mce_owner_start(&o, make_stack, &out));
	fd = perf_open(&attr, o.pid, -1);
	if (fd < 0)
		SKIP(return, "no perf: %s", strerror(errno));
	ring = mmap(NULL, (1 + RING_PAGES) * MCE_PAGE, PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, ring);
	ASSERT_EQ(0, mce_phys_of(o.pid, BASE + STACK_BAD, &phys));
	ASSERT_EQ(0, mce_arm_phys(phys));
	mce_watch_start(&w);
	ASSERT_EQ(0, ioctl(fd, PERF_EVENT_IOC_ENABLE, 0));
	ASSERT_EQ(0, mce_owner_ask(&o, sleep_long, NULL, &a));
	ioctl(fd, PERF_EVENT_IOC_DISABLE, 0);
	mce_watch_end(&w, 1);
	nr = count_samples(ring, &most, &cut);
	mce_outcome("perf of a user stack: %d samples, %d of them cut short, %ld #MC",
		    nr, cut, w.mcs);
	EXPECT_TRUE(a.ok);
	EXPECT_EQ((long)LONG, a.ret);
	EXPECT_EQ(0, a.early);
	/* Not one sample has a byte from the bad line on. */
	EXPECT_GT(nr, 1);
	EXPECT_GT(cut, 1);
	/*
	 * A sample looks twice, at frame pointers and at the stack as it is,
	 * and the next one may come before the page is gone.
	 */
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(phys));
	ASSERT_EQ(0, mce_owner_load(&o, BASE + STACK_BAD, &a));
	EXPECT_FALSE(a.ok);
	EXPECT_EQ(BUS_MCEERR_AR, a.sb.code);
	EXPECT_TRUE(mce_sigbus_covers(&a.sb, BASE + STACK_BAD));
	mce_retire();
	mce_owner_stop(&o);
	munmap(ring, (1 + RING_PAGES) * MCE_PAGE);
	close(fd);
}

/*
 * The profiler is told of each program text that is mapped, with its build ID,
 * which the kernel reads from the page cache.
 */
TEST(perf_build_id)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.mmap = 1,
		.mmap2 = 1,
		.build_id = 1,
	};
	char dir[PATH_MAX - 64], path[PATH_MAX];
	struct perf_event_mmap_page *ring;
	__u8 page[MCE_PAGE], got[MCE_PAGE];
	struct elf64_hdr *eh = (void *)page;
	struct mce_watch w;
	int fd, perf;
	__u64 phys;
	void *map;

	ASSERT_EQ(0, mce_pin(0));
	if (!mce_dir_on(MCE_FS_EXT4, dir, sizeof(dir)))
		SKIP(return, "no directory on that file system");
	snprintf(path, sizeof(path), "%s/mce-build-id-%d", dir, getpid());
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0700);
	ASSERT_GE(fd, 0);
	mce_fill(page, MCE_PAGE, SEED, 0);
	memcpy(page, ELFMAG, SELFMAG);
	eh->e_ident[EI_CLASS] = ELFCLASS64;
	eh->e_type = ET_DYN;
	eh->e_phnum = 0;
	ASSERT_EQ((ssize_t)MCE_PAGE, pwrite(fd, page, MCE_PAGE, 0));
	ASSERT_EQ(0, fsync(fd));

	perf = perf_open(&attr, 0, -1);
	if (perf < 0)
		SKIP(return, "no perf: %s", strerror(errno));
	ring = mmap(NULL, 9 * MCE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		    perf, 0);
	ASSERT_NE(MAP_FAILED, ring);
	ASSERT_EQ(0, mce_arm_file(fd, 0, &phys));
	mce_watch_start(&w);
	map = mmap(NULL, MCE_PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	mce_watch_end(&w, 1);
	mce_outcome("build ID of a bad page: %ld #MC", w.mcs);
	EXPECT_NE(MAP_FAILED, map);
	EXPECT_EQ(1, w.mcs);
	EXPECT_EQ(1, w.offlined);
	EXPECT_STREQ("", w.log);
	EXPECT_TRUE(mce_page_offlined(phys));
	/* The next one reads it from the file. */
	mce_watch_start(&w);
	EXPECT_EQ((ssize_t)MCE_PAGE, pread(fd, got, MCE_PAGE, 0));
	EXPECT_EQ(0, memcmp(got, page, MCE_PAGE));
	mce_watch_end(&w, 0);
	EXPECT_EQ(0, w.mcs);
	mce_retire();
	munmap(map, MCE_PAGE);
	munmap(ring, 9 * MCE_PAGE);
	close(perf);
	close(fd);
	unlink(path);
}

#include "mce_main.h"
