// SPDX-License-Identifier: GPL-2.0
/*
 * What the machine check tests share, see mce_lib.h.
 *
 * Nothing here knows whether the machine is real. On the poison PC, an
 * emulated machine whose EINJ table carries the OEM table id "POISONPC", a
 * register counts the consumptions exactly; everywhere else they are counted
 * by the MCE line of /proc/interrupts.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/kernel-page-flags.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mce_lib.h"

#define EINJ_DIR		"/sys/kernel/debug/apei/einj/"
#define EINJ_TABLE		"/sys/firmware/acpi/tables/EINJ"
#define EINJ_MEM_UC		0x10	/* memory, uncorrectable, not fatal */
#define EINJ_FLAG_MEM		0x2	/* param1 and param2 are an address */

/* The poison PC's register page. */
#define POISONPC_PHYS		0xfef00000UL
#define POISONPC_MAGIC		0x43504e4f53494f50ULL
#define POISONPC_REG_MAGIC	0x00
#define POISONPC_REG_CONSUMED	0x08
#define POISONPC_REG_RECORDS	0x18
#define POISONPC_REG_CAPACITY	0x20
#define POISONPC_REG_LEFT_OUT	0x38
#define POISONPC_REG_LATENT	0x40
#define POISONPC_LOG		0x800
#define POISONPC_RECORD		32

#define BIT_ULL(nr)		(1ULL << (nr))

#define PAGEMAP_PRESENT		BIT_ULL(63)
#define PAGEMAP_PFN		(BIT_ULL(55) - 1)

/* memory_failure() has had its chance after this many milliseconds. */
#define SETTLE_MS		3000

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#endif

#define MAX_ARMED		1024
static __u64 armed[MAX_ARMED];
static unsigned int nr_armed;

static const __u64 *poisonpc;

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int write_number(const char *path, __u64 val)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)val);
	return write_text(path, text);
}

static void sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, (ms % 1000) * 1000000 };

	nanosleep(&ts, NULL);
}

/* A device register: one load of its full width, each time. */
static __u64 reg_read(const __u64 *regs, unsigned int offset)
{
	return __atomic_load_n(regs + offset / sizeof(*regs), __ATOMIC_SEQ_CST);
}

/*
 * The register page of the poison PC, or NULL on any other machine. The ACPI
 * table is asked first: a machine that is not the poison PC may have anything
 * at that address.
 */
static const __u64 *poisonpc_regs(void)
{
	static bool tried;
	char id[8];
	void *map;
	int fd;

	if (tried)
		return poisonpc;
	tried = true;

	/* OEM table id: bytes 16 to 23 of any ACPI table's header. */
	fd = open(EINJ_TABLE, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (pread(fd, id, sizeof(id), 16) != sizeof(id) ||
	    memcmp(id, "POISONPC", sizeof(id))) {
		close(fd);
		return NULL;
	}
	close(fd);

	fd = open("/dev/mem", O_RDONLY | O_SYNC | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	map = mmap(NULL, MCE_PAGE, PROT_READ, MAP_SHARED, fd, POISONPC_PHYS);
	close(fd);
	if (map == MAP_FAILED)
		return NULL;
	poisonpc = map;
	if (reg_read(poisonpc, POISONPC_REG_MAGIC) != POISONPC_MAGIC)
		poisonpc = NULL;
	return poisonpc;
}

/**
 * mce_missing() - What keeps this machine from running the tests
 *
 * Return: a reason, or NULL if a memory error can be injected.
 */
const char *mce_missing(void)
{
	char types[1024];
	ssize_t len;
	int fd;

	if (geteuid() != 0)
		return "needs root";
	if (access("/proc/kpageflags", R_OK))
		return "needs /proc/kpageflags (CONFIG_PROC_PAGE_MONITOR)";
	fd = open(EINJ_DIR "available_error_type", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return "needs EINJ (debugfs mounted, module einj, firmware support)";
	len = read(fd, types, sizeof(types) - 1);
	close(fd);
	types[len > 0 ? len : 0] = '\0';
	if (!strstr(types, "0x00000010"))
		return "EINJ here cannot inject uncorrectable memory errors";
	if (access(EINJ_DIR "param1", W_OK))
		return "EINJ here takes no address";
	return NULL;
}

/**
 * mce_main() - Run the harness if there is something to test with
 * @argc: from main()
 * @argv: from main()
 * @run: the harness's main()
 *
 * Return: the exit status of the test program, %KSFT_SKIP where errors cannot
 * be injected. Listing the tests is possible everywhere.
 */
int mce_main(int argc, char **argv, int (*run)(int argc, char **argv))
{
	const char *why = mce_missing();

	if (argc == 2 && (!strcmp(argv[1], "-l") || !strcmp(argv[1], "-h")))
		return run(argc, argv);
	if (why) {
		printf("TAP version 13\n1..0 # SKIP %s\n", why);
		return KSFT_SKIP;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	return run(argc, argv);
}

/**
 * mce_outcome() - Say in one line what the case saw
 * @fmt: like printf()
 *
 * A diagnostic of the form "# outcome: ...", for people and for scripts that
 * compare kernels. It carries no verdict.
 */
void mce_outcome(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	printf("# outcome: %s\n", line);
	fflush(stdout);
}

/**
 * mce_codename() - Name of a si_code that came with SIGBUS
 * @code: si_code
 *
 * Return: its name.
 */
const char *mce_codename(int code)
{
	switch (code) {
	case BUS_ADRALN:	return "BUS_ADRALN";
	case BUS_ADRERR:	return "BUS_ADRERR";
	case BUS_OBJERR:	return "BUS_OBJERR";
	case BUS_MCEERR_AR:	return "BUS_MCEERR_AR";
	case BUS_MCEERR_AO:	return "BUS_MCEERR_AO";
	case SI_KERNEL:		return "SI_KERNEL";
	default:		return "of another code";
	}
}

/**
 * mce_errname() - Name of an errno value
 * @err: errno, positive
 *
 * Return: the name of those that the cases meet, else a generic one.
 */
const char *mce_errname(int err)
{
	switch (err) {
	case 0:			return "0";
	case EIO:		return "EIO";
	case EFAULT:		return "EFAULT";
	case EAGAIN:		return "EAGAIN";
	case EINTR:		return "EINTR";
	case EHWPOISON:		return "EHWPOISON";
	case EINVAL:		return "EINVAL";
	case ETIMEDOUT:		return "ETIMEDOUT";
	case EOPNOTSUPP:	return "EOPNOTSUPP";
	default:		return "another errno";
	}
}

/**
 * mce_phys() - Physical address behind a virtual one
 * @addr: an address in this process; its page must be present
 * @phys: where to put the result
 *
 * Return: 0, or a negative errno. -ENXIO: the page is not present.
 */
int mce_phys(const void *addr, __u64 *phys)
{
	return mce_phys_of(getpid(), addr, phys);
}

/**
 * mce_file_phys_get() - mce_file_phys() that leaves the page mapped
 * @fd: a file
 * @off: offset in the file
 * @phys: where to put the physical address of that byte
 * @map: where to put the address of the mapping, one page
 *
 * Return: 0, or a negative errno.
 */
int mce_file_phys_get(int fd, off_t off, __u64 *phys, void **map)
{
	off_t base = off & ~(off_t)(MCE_PAGE - 1);
	int err = 0, tries;

	*map = mmap(NULL, MCE_PAGE, PROT_READ, MAP_SHARED, fd, base);
	if (*map == MAP_FAILED)
		return -errno;
	/* What an earlier case left to be offlined may take the page along. */
	for (tries = 0; tries < 50; tries++) {
		err = madvise(*map, MCE_PAGE, MADV_POPULATE_READ) ? -errno : 0;
		if (!err)
			err = mce_phys((char *)*map + (off - base), phys);
		if (err != -ENXIO)
			break;
		sleep_ms(10);
	}
	if (err)
		munmap(*map, MCE_PAGE);
	return err;
}

/**
 * mce_file_phys() - Physical address of a byte in the page cache
 * @fd: a file
 * @off: offset in the file
 * @phys: where to put the result
 *
 * The page is brought into the page cache if it is not there. No byte of it is
 * loaded by this process.
 *
 * Return: 0, or a negative errno.
 */
int mce_file_phys(int fd, off_t off, __u64 *phys)
{
	void *map;
	int err;

	err = mce_file_phys_get(fd, off, phys, &map);
	if (!err)
		munmap(map, MCE_PAGE);
	return err;
}

/**
 * mce_arm_phys() - Poison the line at a physical address
 * @phys: any address in the line
 *
 * Nothing happens until something loads from the line: the trigger action,
 * with which some firmware would consume the error itself, is switched off.
 *
 * Return: 0, or a negative errno.
 */
int mce_arm_phys(__u64 phys)
{
	static const char *const files[] = {
		"error_type", "flags", "param1", "param2", "notrigger",
		"error_inject",
	};
	const __u64 values[] = {
		EINJ_MEM_UC, EINJ_FLAG_MEM, phys & ~(MCE_LINE - 1),
		~(MCE_LINE - 1), 1, 1,
	};
	char path[128];
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), EINJ_DIR "%s", files[i]);
		err = write_number(path, values[i]);
		if (err) {
			printf("# EINJ: %s: %s\n", files[i], strerror(-err));
			return err;
		}
	}
	if (nr_armed < MAX_ARMED)
		armed[nr_armed++] = phys;
	return 0;
}

/**
 * mce_arm() - Poison the line at a virtual address
 * @addr: any address in the line; the page must be present
 * @phys: where to put its physical address, or NULL
 *
 * Return: 0, or a negative errno.
 */
int mce_arm(const void *addr, __u64 *phys)
{
	__u64 pa;
	int err;

	err = mce_phys(addr, &pa);
	if (err)
		return err;
	if (phys)
		*phys = pa;
	return mce_arm_phys(pa);
}

/**
 * mce_arm_file() - Poison a line of a file's page-cache page
 * @fd: the file
 * @off: offset of any byte in the line
 * @phys: where to put the physical address, or NULL
 *
 * The page stays as clean or dirty as it was, and this process does not keep
 * it mapped.
 *
 * Return: 0, or a negative errno.
 */
int mce_arm_file(int fd, off_t off, __u64 *phys)
{
	__u64 pa;
	void *map;
	int err;

	/* Arm while the mapping holds the page where it is. */
	err = mce_file_phys_get(fd, off, &pa, &map);
	if (err)
		return err;
	err = mce_arm_phys(pa);
	munmap(map, MCE_PAGE);
	if (phys)
		*phys = pa;
	return err;
}

/**
 * mce_retire() - Take what was armed and not consumed out of use
 *
 * For the end of a case, whatever its result: a poisoned line must not go back
 * to the allocator, where it would end the life of the machine in the middle
 * of some other test. Pages that were offlined are left alone.
 */
void mce_retire(void)
{
	char text[32];
	unsigned int i;

	for (i = 0; i < nr_armed; i++) {
		if (mce_page_offlined(armed[i]))
			continue;
		snprintf(text, sizeof(text), "0x%llx",
			 (unsigned long long)armed[i]);
		write_text("/sys/devices/system/memory/hard_offline_page",
			   text);
	}
	nr_armed = 0;
}

/*
 * Machine checks that a CPU has taken. With a broadcast every CPU takes each
 * of them, so one CPU's column is the number that is wanted in either case,
 * provided that the consumer stays on that CPU.
 */
static long interrupts_mce(int cpu)
{
	char *line = NULL, *p;
	long val = -1;
	size_t cap = 0;
	FILE *f;
	int i;

	f = fopen("/proc/interrupts", "re");
	if (!f)
		return -1;
	while (getline(&line, &cap, f) > 0) {
		p = line + strspn(line, " ");
		if (strncmp(p, "MCE:", 4))
			continue;
		for (p += 4, i = 0; i <= cpu; i++)
			val = strtol(p, &p, 10);
	}
	free(line);
	fclose(f);
	return val;
}

static long count_mcs(int cpu)
{
	const __u64 *regs = poisonpc_regs();

	if (regs)
		return reg_read(regs, POISONPC_REG_CONSUMED);
	return interrupts_mce(cpu);
}

/*
 * Who consumed what, as far as the poison PC's log goes back: a few of the last
 * @n records, as diagnostics.
 */
static void tell_consumers(long n)
{
	const __u64 *regs = poisonpc_regs();
	unsigned long capacity, i, last, at;

	if (!regs || n <= 0)
		return;
	last = reg_read(regs, POISONPC_REG_RECORDS);
	capacity = reg_read(regs, POISONPC_REG_CAPACITY);
	if (n > 8)
		n = 8;
	for (i = last - n; capacity && i < last; i++) {
		at = POISONPC_LOG + i % capacity * POISONPC_RECORD;
		printf("# #MC: physical %#llx, virtual %#llx, RIP %#llx, CPU %llu, CPL %llu\n",
		       (unsigned long long)reg_read(regs, at),
		       (unsigned long long)reg_read(regs, at + 8),
		       (unsigned long long)reg_read(regs, at + 16),
		       (unsigned long long)reg_read(regs, at + 24) >> 32 & 0xffff,
		       (unsigned long long)reg_read(regs, at + 24) >> 48 & 0xff);
	}
}

/**
 * mce_counts_exactly() - Do counts hold for consumers on several CPUs
 *
 * Return: true on the poison PC; false where only the caller's own CPU is
 * counted.
 */
bool mce_counts_exactly(void)
{
	return poisonpc_regs();
}

/**
 * mce_expected() - How many machine checks a case should cost
 * @what: name of an environment variable
 * @standard: the answer without it
 *
 * The contract is one machine check a consumption. Where a kernel is known to
 * need more, whoever runs the test says so from outside.
 *
 * Return: the number to compare with.
 */
long mce_expected(const char *what, long standard)
{
	const char *val = getenv(what);

	return val && *val ? atol(val) : standard;
}

/* A line of /proc/meminfo, in kB, or -1. */
static long proc_kb(const char *name)
{
	char *line = NULL;
	long kb = -1;
	size_t cap = 0;
	FILE *f;

	f = fopen("/proc/meminfo", "re");
	if (!f)
		return -1;
	while (getline(&line, &cap, f) > 0)
		if (!strncmp(line, name, strlen(name)))
			kb = strtol(line + strlen(name), NULL, 10);
	free(line);
	fclose(f);
	return kb;
}

/**
 * mce_corrupted_pages() - HardwareCorrupted of /proc/meminfo, in pages
 *
 * Return: pages, or -1.
 */
long mce_corrupted_pages(void)
{
	long kb = proc_kb("HardwareCorrupted:");

	return kb < 0 ? -1 : kb / 4;
}

/* Does a line of the kernel log say that something is broken? */
static bool log_is_bad(const char *text)
{
	static const char *const words[] = {
		"BUG:", "WARNING:", "Oops", "general protection", "Call Trace",
		"INFO: task ", "rcu: INFO", "soft lockup", "Bad page",
		"kernel BUG", "stack guard", "list_add corruption",
		"list_del corruption", "refcount_t:", "blocked for more than",
		"Failed kernel mode recovery", "leaked", "possible recursive",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (strstr(text, words[i]))
			return true;
	return false;
}

/**
 * mce_watch_start() - Begin to count
 * @w: the watch
 */
void mce_watch_start(struct mce_watch *w)
{
	memset(w, 0, sizeof(*w));
	w->kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (w->kmsg >= 0)
		lseek(w->kmsg, 0, SEEK_END);
	w->cpu = sched_getcpu();
	w->pages_before = mce_corrupted_pages();
	w->mcs_before = count_mcs(w->cpu);
}

/**
 * mce_watch_end() - Stop counting
 * @w: the watch
 * @pages: how many pages should have gone out of use
 *
 * Counts at once, except that as many pages as @pages get some time to be
 * taken out of use: where a task does not return to user mode, that is done
 * by deferred work.
 */
void mce_watch_end(struct mce_watch *w, long pages)
{
	int waited = 0;

	for (;;) {
		w->offlined = mce_corrupted_pages() - w->pages_before;
		if (w->offlined >= pages || waited >= SETTLE_MS)
			break;
		sleep_ms(20);
		waited += 20;
	}
	/* With those that a worker met. */
	w->mcs = count_mcs(w->cpu) - w->mcs_before;
	/* One machine check a page is the rule; tell more about exceptions. */
	if (w->mcs != pages)
		tell_consumers(w->mcs);
	mce_watch_log(w);
}

/**
 * mce_watch_log() - Stop watching the kernel log, without counting
 * @w: the watch
 *
 * mce_watch_end() does that as well.
 */
void mce_watch_log(struct mce_watch *w)
{
	char record[2048], *text;
	ssize_t n;

	w->log[0] = '\0';
	while (w->kmsg >= 0) {
		n = read(w->kmsg, record, sizeof(record) - 1);
		if (n < 0 && errno == EPIPE)
			continue;
		if (n <= 0)
			break;
		record[n] = '\0';
		text = strchr(record, ';');
		text = text ? text + 1 : record;
		text[strcspn(text, "\n")] = '\0';
		if (!w->log[0] && log_is_bad(text))
			snprintf(w->log, sizeof(w->log), "%.200s", text);
	}
	if (w->kmsg >= 0)
		close(w->kmsg);
	w->kmsg = -1;
}

/**
 * mce_page_flags() - A page's flags as /proc/kpageflags shows them
 * @phys: any address in the page
 *
 * Return: flags (1 << KPF_...), 0 if they cannot be had.
 */
__u64 mce_page_flags(__u64 phys)
{
	__u64 flags = 0;
	int fd;

	fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (pread(fd, &flags, sizeof(flags),
		  phys / MCE_PAGE * sizeof(flags)) != sizeof(flags))
		flags = 0;
	close(fd);
	return flags;
}

/**
 * mce_page_offlined() - Is a page out of use
 * @phys: any address in it
 *
 * Return: true if the page is marked as poisoned by hardware.
 */
bool mce_page_offlined(__u64 phys)
{
	return mce_page_flags(phys) & BIT_ULL(KPF_HWPOISON);
}

/**
 * mce_page_large() - Is a page part of a large folio
 * @phys: any address in it
 *
 * Return: true if it is the head or a tail of a compound page.
 */
bool mce_page_large(__u64 phys)
{
	return mce_page_flags(phys) & (BIT_ULL(KPF_COMPOUND_HEAD) |
				       BIT_ULL(KPF_COMPOUND_TAIL));
}

static sigjmp_buf guard_env;
static sig_atomic_t guarded;
static struct mce_sigbus guard_seen;

static void on_sigbus(int sig, siginfo_t *si, void *ucontext)
{
	(void)sig;
	(void)ucontext;
	guard_seen.count++;
	guard_seen.code = si->si_code;
	guard_seen.addr = si->si_addr;
	guard_seen.lsb = si->si_addr_lsb;
	if (__atomic_load_n(&guarded, __ATOMIC_SEQ_CST))
		siglongjmp(guard_env, 1);
}

/* With a barrier: the compiler must not move the access across it. */
static void set_guarded(int val)
{
	__atomic_store_n(&guarded, val, __ATOMIC_SEQ_CST);
}

/**
 * mce_guard() - Call a function that may die of SIGBUS
 * @fn: the function
 * @arg: its argument
 * @sb: what the signal said; cleared if there was none
 *
 * The handler does not return to the access, which would meet the poison
 * again, but here.
 *
 * Return: true if @fn ran to its end without a signal.
 */
bool mce_guard(void (*fn)(void *arg), void *arg, struct mce_sigbus *sb)
{
	struct sigaction act = { .sa_sigaction = on_sigbus }, old;

	act.sa_flags = SA_SIGINFO;
	sigemptyset(&act.sa_mask);
	memset(&guard_seen, 0, sizeof(guard_seen));
	sigaction(SIGBUS, &act, &old);
	if (!sigsetjmp(guard_env, 1)) {
		set_guarded(1);
		fn(arg);
	}
	set_guarded(0);
	sigaction(SIGBUS, &old, NULL);
	if (sb)
		*sb = guard_seen;
	return !guard_seen.count;
}

struct load {
	const __u8 *addr;
	__u8 val;
};

static void do_load(void *arg)
{
	struct load *l = arg;

	/* One load, of this byte and no other. */
	asm volatile("movb	%1, %0" : "=q" (l->val) : "m" (*l->addr));
}

/**
 * mce_load() - Load one byte
 * @addr: from here
 * @val: to here, may be NULL
 * @sb: what the signal said, if there was one; may be NULL
 *
 * Return: true if the load came back with a value.
 */
bool mce_load(const void *addr, __u8 *val, struct mce_sigbus *sb)
{
	struct load l = { .addr = addr };
	bool ok = mce_guard(do_load, &l, sb);

	if (ok && val)
		*val = l.val;
	return ok;
}

/**
 * mce_sigbus_covers() - Did the signal mean this address
 * @sb: the signal
 * @addr: the address that was touched
 *
 * Return: true if si_addr and si_addr_lsb describe a range with @addr in it.
 */
bool mce_sigbus_covers(const struct mce_sigbus *sb, const void *addr)
{
	unsigned long mask;

	if (sb->lsb < 0 || sb->lsb > 63)
		return false;
	mask = ~((1UL << sb->lsb) - 1);
	return ((unsigned long)sb->addr & mask) == ((unsigned long)addr & mask);
}

static __u64 scramble(__u64 x)
{
	x = (x ^ (x >> 31)) * 0x7fb5d329728ea185ULL;
	x = (x ^ (x >> 27)) * 0x81dadef4bc2dd44dULL;
	return x ^ (x >> 33);
}

static __u8 pattern(__u64 seed, off_t pos)
{
	__u64 word = scramble(seed * 0x9e3779b97f4a7c15ULL + pos / 8 + 1);

	return word >> (pos % 8 * 8);
}

/**
 * mce_fill() - Fill a buffer with data that depends on the position
 * @buf: the buffer
 * @len: its length
 * @seed: different seeds give different data
 * @off: position of the first byte
 */
void mce_fill(void *buf, size_t len, __u64 seed, off_t off)
{
	__u8 *p = buf;
	size_t i;

	for (i = 0; i < len; i++)
		p[i] = pattern(seed, off + i);
}

/**
 * mce_differs() - Compare a buffer with what mce_fill() would have put there
 * @buf: the buffer
 * @len: its length
 * @seed: as for mce_fill()
 * @off: position of the first byte
 *
 * Return: index of the first byte that differs, -1 if there is none.
 */
long mce_differs(const void *buf, size_t len, __u64 seed, off_t off)
{
	const __u8 *p = buf;
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i] != pattern(seed, off + i))
			return i;
	return -1;
}

/**
 * mce_dir_on() - Find a directory on a kind of file system
 * @magic: f_type of statfs()
 * @dir: where to put its name
 * @len: size of @dir
 *
 * Looks at $MCE_TEST_DIRS (separated by colons), the directories of the
 * poison PC's guest, and the usual places for temporary files.
 *
 * Return: true if there is one.
 */
bool mce_dir_on(unsigned long magic, char *dir, size_t len)
{
	char all[1024], *save = NULL, *p;
	const char *env = getenv("MCE_TEST_DIRS");
	struct statfs fs;

	snprintf(all, sizeof(all),
		 "%s:/ext4:/xfs:/tmpfs:/var/tmp:/tmp:/dev/shm:.",
		 env ? env : "");
	for (p = strtok_r(all, ":", &save); p; p = strtok_r(NULL, ":", &save)) {
		if (statfs(p, &fs) || (unsigned long)fs.f_type != magic)
			continue;
		snprintf(dir, len, "%s", p);
		return true;
	}
	return false;
}

/**
 * mce_block_size() - How much is written or lost at once on a file system?
 * @magic: f_type of statfs()
 *
 * Return: bytes: its block or a page, whichever is larger; 0 if there is none.
 */
size_t mce_block_size(unsigned long magic)
{
	char dir[PATH_MAX];
	struct statfs fs;

	if (!mce_dir_on(magic, dir, sizeof(dir)) || statfs(dir, &fs))
		return 0;
	return (size_t)fs.f_bsize > MCE_PAGE ? fs.f_bsize : MCE_PAGE;
}

/**
 * mce_file_create() - Write a file of known data, all clean in the page cache
 * @path: its name; an existing file is replaced
 * @pages: size
 * @chunk: pages for one write(2). Where the file system has large folios, a
 *	large write makes one.
 * @seed: for mce_fill()
 *
 * Return: a descriptor open for reading and writing, or a negative errno.
 */
int mce_file_create(const char *path, size_t pages, size_t chunk, __u64 seed)
{
	size_t len = chunk * MCE_PAGE, i;
	int fd, err = 0;
	char *buf;

	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	buf = malloc(len);
	for (i = 0; buf && i < pages; i += chunk) {
		mce_fill(buf, len, seed, i * MCE_PAGE);
		if (pwrite(fd, buf, len, i * MCE_PAGE) != (ssize_t)len) {
			err = errno ? -errno : -EIO;
			break;
		}
	}
	if (!buf)
		err = -ENOMEM;
	free(buf);
	if (!err && fsync(fd))
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

/**
 * mce_drop_caches() - Have the kernel forget clean page cache and inodes
 */
void mce_drop_caches(void)
{
	write_text("/proc/sys/vm/drop_caches", "3");
}

/**
 * mce_squeeze() - Put the page cache under memory pressure
 *
 * A child fills most of what is available with anonymous memory, so that
 * reclaim goes over the page cache as it would on a busy machine.
 *
 * Return: 0, or -1 if the child did not get that far.
 */
int mce_squeeze(void)
{
	long kb = proc_kb("MemAvailable:");
	int status;
	pid_t pid;

	if (kb < 0)
		return -1;
	pid = fork();
	if (pid < 0)
		return -1;
	if (!pid) {
		size_t len = (size_t)kb * 1024 / 100 * 94, i;
		char *p;

		write_text("/proc/self/oom_score_adj", "1000");
		p = mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (p == MAP_FAILED)
			_exit(1);
		for (i = 0; i < len; i += MCE_PAGE)
			p[i] = 1;
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	/* Killed for being the largest: then there was pressure enough. */
	return WIFEXITED(status) && WEXITSTATUS(status) ? -1 : 0;
}

/**
 * mce_pin() - Stay on one CPU
 * @cpu: its number
 *
 * Return: 0, or a negative errno.
 */
int mce_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

/* What a bystander has to say; the low bits of an answer. */
#define BYSTANDER_READY		0
#define BYSTANDER_SIGNALLED	1
#define BYSTANDER_WRONG		2

static sig_atomic_t bystander_signals;

static void on_bystander_signal(int sig, siginfo_t *si, void *ucontext)
{
	(void)sig;
	(void)si;
	(void)ucontext;
	__atomic_add_fetch(&bystander_signals, 1, __ATOMIC_SEQ_CST);
	/* Back to the load would be a loop; the parent has what it needs. */
	if (__atomic_load_n(&guarded, __ATOMIC_SEQ_CST))
		siglongjmp(guard_env, 1);
}

static void bystander(int cmd, int answer, const char *path, off_t off)
{
	struct sigaction act = { .sa_sigaction = on_bystander_signal };
	__u8 page[MCE_PAGE];
	__u64 seed;
	__u8 *map;
	char say;
	int fd;

	/* An early signal comes while waiting for a command: go on waiting. */
	act.sa_flags = SA_SIGINFO | SA_RESTART;
	sigemptyset(&act.sa_mask);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	map = mmap(NULL, MCE_PAGE, PROT_READ, MAP_SHARED, fd, off);
	if (fd < 0 || map == MAP_FAILED)
		_exit(1);
	if (!mce_load(map, page, NULL))
		_exit(1);
	sigaction(SIGBUS, &act, NULL);
	say = BYSTANDER_READY;
	if (write(answer, &say, 1) != 1)
		_exit(1);

	while (read(cmd, &seed, sizeof(seed)) == sizeof(seed)) {
		say = 0;
		if (!sigsetjmp(guard_env, 1)) {
			set_guarded(1);
			memcpy(page, map, MCE_PAGE);
			if (mce_differs(page, MCE_PAGE, seed, off) >= 0)
				say |= BYSTANDER_WRONG;
		}
		set_guarded(0);
		if (__atomic_load_n(&bystander_signals, __ATOMIC_SEQ_CST))
			say |= BYSTANDER_SIGNALLED;
		if (write(answer, &say, 1) != 1)
			break;
	}
	_exit(0);
}

/**
 * mce_bystander_start() - Start a process that maps a page of the same file
 * @b: the bystander
 * @path: the file
 * @off: offset of the page
 * @early: it asks for signals as early as the kernel gives them, before it
 *	touches anything (PR_MCE_KILL_EARLY)
 *
 * Returns when the process has the page in its page tables.
 *
 * Return: 0, or -1.
 */
int mce_bystander_start(struct mce_bystander *b, const char *path, off_t off,
			bool early)
{
	int down[2], up[2];
	char say;

	if (pipe2(down, O_CLOEXEC) || pipe2(up, O_CLOEXEC))
		return -1;
	b->pid = fork();
	if (b->pid < 0)
		return -1;
	if (!b->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (early)
			prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY,
			      0, 0);
		close(down[1]);
		close(up[0]);
		bystander(down[0], up[1], path, off);
	}
	close(down[0]);
	close(up[1]);
	b->cmd = down[1];
	b->answer = up[0];
	return read(b->answer, &say, 1) == 1 ? 0 : -1;
}

/**
 * mce_bystander_ask() - Let the bystander read the whole page now
 * @b: the bystander
 * @seed: what it should find, as for mce_fill()
 *
 * Return: 0 if it found that and never had a signal; else bits: 1, it was
 * signalled; 2, it read something else; 4, it is gone.
 */
int mce_bystander_ask(struct mce_bystander *b, __u64 seed)
{
	struct pollfd pfd = { .fd = b->answer, .events = POLLIN };
	char say;

	if (write(b->cmd, &seed, sizeof(seed)) != sizeof(seed))
		return 4;
	if (poll(&pfd, 1, 10000) != 1 || read(b->answer, &say, 1) != 1)
		return 4;
	return say;
}

/**
 * mce_bystander_stop() - End the bystander
 * @b: the bystander; nothing happens if it was never started
 */
void mce_bystander_stop(struct mce_bystander *b)
{
	if (b->pid <= 0)
		return;
	close(b->cmd);
	close(b->answer);
	kill(b->pid, SIGKILL);
	waitpid(b->pid, NULL, 0);
	b->pid = 0;
}

/* One request through a ring of its own, with @buf registered if need be. */
static int uring_request(int opcode, int fd, void *buf, size_t len, off_t off)
{
	struct io_uring_params par = { 0 };
	unsigned int *sq_tail, *sq_array, *cq_head, *cq_tail;
	size_t sq_len, cq_len;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	struct iovec iov = { buf, len };
	char *sq, *cq;
	int ring, res = -EOPNOTSUPP;

	ring = syscall(__NR_io_uring_setup, 1, &par);
	if (ring < 0)
		return -EOPNOTSUPP;
	if (opcode == IORING_OP_WRITE_FIXED &&
	    syscall(__NR_io_uring_register, ring, IORING_REGISTER_BUFFERS,
		    &iov, 1) < 0) {
		close(ring);
		return -EOPNOTSUPP;
	}
	sq_len = par.sq_off.array + par.sq_entries * sizeof(unsigned int);
	cq_len = par.cq_off.cqes + par.cq_entries * sizeof(*cqe);
	sq = mmap(NULL, sq_len, PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
	cq = mmap(NULL, cq_len, PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_CQ_RING);
	sqe = mmap(NULL, par.sq_entries * sizeof(*sqe), PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || sqe == MAP_FAILED)
		goto out;

	sq_tail = (unsigned int *)(sq + par.sq_off.tail);
	sq_array = (unsigned int *)(sq + par.sq_off.array);
	cq_head = (unsigned int *)(cq + par.cq_off.head);
	cq_tail = (unsigned int *)(cq + par.cq_off.tail);

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = opcode;
	sqe->fd = fd;
	sqe->addr = (unsigned long)buf;
	sqe->len = len;
	sqe->off = off;
	sq_array[0] = 0;
	__atomic_store_n(sq_tail, *sq_tail + 1, __ATOMIC_RELEASE);
	if (syscall(__NR_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS,
		    NULL, 0) < 0) {
		res = -errno;
		goto out;
	}
	if (__atomic_load_n(cq_tail, __ATOMIC_ACQUIRE) != *cq_head) {
		cqe = (struct io_uring_cqe *)(cq + par.cq_off.cqes);
		res = cqe[*cq_head & (par.cq_entries - 1)].res;
	}
out:
	if (sq != MAP_FAILED)
		munmap(sq, sq_len);
	if (cq != MAP_FAILED)
		munmap(cq, cq_len);
	if (sqe != MAP_FAILED)
		munmap(sqe, par.sq_entries * sizeof(*sqe));
	close(ring);
	return res;
}

/**
 * mce_poisonpc() - The poison PC's register page
 *
 * Return: its address, or NULL on any other machine.
 */
const __u64 *mce_poisonpc(void)
{
	return poisonpc_regs();
}

/* A register of the poison PC is written: 0, or a negative errno. */
static int poisonpc_write(unsigned long reg, __u64 val)
{
	volatile __u64 *regs;
	int fd;

	if (!poisonpc_regs())
		return -ENODEV;
	fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	regs = mmap(NULL, MCE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    POISONPC_PHYS);
	close(fd);
	if (regs == MAP_FAILED)
		return -errno;
	regs[reg / sizeof(*regs)] = val;
	munmap((void *)regs, MCE_PAGE);
	return 0;
}

/**
 * mce_leave_out() - Have machine checks say less than they should
 * @what: sum of MCE_NO_..., 0 for machine checks that say all
 *
 * Return: 0, or a negative errno where the machine cannot do that.
 */
int mce_leave_out(__u64 what)
{
	int err = poisonpc_write(POISONPC_REG_LEFT_OUT, what);

	if (!err && reg_read(poisonpc, POISONPC_REG_LEFT_OUT) != what)
		return -ENODEV;
	return err;
}

/**
 * mce_latent() - Log an error that is not signalled, where a load logs its own
 * @phys: its physical address
 *
 * On the CPU that the caller runs on.
 *
 * Return: 0, or a negative errno where the machine cannot do that.
 */
int mce_latent(__u64 phys)
{
	return poisonpc_write(POISONPC_REG_LATENT, phys);
}

/**
 * mce_is_amd() - Does the CPU report as AMD's do?
 *
 * Return: true if so.
 */
bool mce_is_amd(void)
{
	char text[256] = "";
	int fd = open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return strstr(text, "AuthenticAMD") || strstr(text, "HygonGenuine");
}

#define MSR_MCG_EXT_CTL		0x4d0

/**
 * mce_is_local() - Is a machine check only for the CPU that consumes?
 *
 * Return: false if it is for all CPUs, or nobody knows.
 */
bool mce_is_local(void)
{
	__u64 ctl = 0;
	int fd;

	if (mce_is_amd())
		return true;
	fd = open("/dev/cpu/0/msr", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, &ctl, sizeof(ctl), MSR_MCG_EXT_CTL) != sizeof(ctl))
		ctl = 0;
	close(fd);
	return ctl & 1;
}

/**
 * mce_uring_read() - One read through io_uring
 * @fd: the file
 * @buf: where to
 * @len: how much
 * @off: from where
 *
 * Return: the result of the request, or -EOPNOTSUPP if there is no io_uring.
 */
int mce_uring_read(int fd, void *buf, size_t len, off_t off)
{
	return uring_request(IORING_OP_READ, fd, buf, len, off);
}

/**
 * mce_uring_write_fixed() - One write through io_uring from a registered buffer
 * @fd: the file
 * @buf: where from
 * @len: how much
 * @off: where to
 *
 * Return: the result of the request, or -EOPNOTSUPP if there is no io_uring.
 */
int mce_uring_write_fixed(int fd, void *buf, size_t len, off_t off)
{
	return uring_request(IORING_OP_WRITE_FIXED, fd, buf, len, off);
}

/**
 * mce_file_open() - Set up a file under test, with a buffer of its size
 * @f: the file
 * @magic: file system to have it on, MCE_FS_...
 * @pages: size
 * @chunk: as for mce_file_create()
 * @seed: as for mce_file_create()
 *
 * The file is clean in the page cache, the buffer filled with 0xee.
 *
 * Return: 0; -ENOENT if no directory is on that file system; another negative
 * errno. mce_file_close() is to be called in either case.
 */
int mce_file_open(struct mce_file *f, unsigned long magic, size_t pages,
		  size_t chunk, __u64 seed)
{
	static unsigned int serial;
	char dir[PATH_MAX - 64];

	memset(f, 0, sizeof(*f));
	f->fd = -1;
	f->pages = pages;
	f->buf = mmap(NULL, pages * MCE_PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (f->buf == MAP_FAILED)
		return -errno;
	if (!mce_dir_on(magic, dir, sizeof(dir)))
		return -ENOENT;
	snprintf(f->path, sizeof(f->path), "%s/mce-%d-%u", dir, getpid(),
		 serial++);
	f->fd = mce_file_create(f->path, pages, chunk, seed);
	memset(f->buf, 0xee, pages * MCE_PAGE);
	return f->fd < 0 ? f->fd : 0;
}

/**
 * mce_file_close() - End of a file under test, and of all pages armed in it
 * @f: the file
 */
void mce_file_close(struct mce_file *f)
{
	mce_retire();
	if (f->buf != MAP_FAILED)
		munmap(f->buf, f->pages * MCE_PAGE);
	if (f->fd >= 0)
		close(f->fd);
	if (f->path[0])
		unlink(f->path);
}

/**
 * mce_pattern() - Fill a buffer with something that can be found again
 * @buf: the buffer
 * @len: its length, a multiple of eight
 *
 * The same eight bytes all over, which nobody has used before.
 *
 * Return: those bytes, for mce_find_line().
 */
__u64 mce_pattern(void *buf, size_t len)
{
	static __u64 serial;
	struct timespec ts;
	__u64 pattern;
	size_t i;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	pattern = scramble(ts.tv_sec * 1000000000ULL + ts.tv_nsec + getpid() +
			   (serial++ << 48));
	for (i = 0; i < len; i += sizeof(pattern))
		memcpy((char *)buf + i, &pattern, sizeof(pattern));
	return pattern;
}

/**
 * mce_phys_of() - mce_phys() for another process
 * @pid: its process id
 * @addr: an address in that process; its page must be present
 * @phys: where to put the result
 *
 * Return: 0, or a negative errno. -ENXIO: the page is not present.
 */
int mce_phys_of(pid_t pid, const void *addr, __u64 *phys)
{
	unsigned long va = (unsigned long)addr;
	char path[64];
	__u64 entry;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = pread(fd, &entry, sizeof(entry), va / MCE_PAGE * sizeof(entry));
	close(fd);
	if (n != sizeof(entry))
		return -EIO;
	if (!(entry & PAGEMAP_PRESENT) || !(entry & PAGEMAP_PFN))
		return -ENXIO;
	*phys = (entry & PAGEMAP_PFN) * MCE_PAGE + va % MCE_PAGE;
	return 0;
}

struct owner_call {
	long (*fn)(void *arg);
	void *arg;
	long ret;
};

static sig_atomic_t owner_signals;

static void on_owner_signal(int sig)
{
	(void)sig;
	__atomic_add_fetch(&owner_signals, 1, __ATOMIC_SEQ_CST);
}

static void owner_call(void *arg)
{
	struct owner_call *c = arg;

	c->ret = c->fn(c->arg);
}

static void owner(int cmd, int answer)
{
	struct sigaction act = { .sa_handler = on_owner_signal };
	struct owner_call c;
	struct mce_answer a;

	act.sa_flags = SA_RESTART;
	sigemptyset(&act.sa_mask);
	sigaction(SIGBUS, &act, NULL);
	while (read(cmd, &c, sizeof(c)) == sizeof(c)) {
		memset(&a, 0, sizeof(a));
		a.early = __atomic_load_n(&owner_signals, __ATOMIC_SEQ_CST);
		a.ok = mce_guard(owner_call, &c, &a.sb);
		a.ret = c.ret;
		if (write(answer, &a, sizeof(a)) != sizeof(a))
			break;
	}
	_exit(0);
}

/**
 * mce_owner_start() - Start a process that owns memory
 * @o: the owner
 * @setup: what it does first, in its own memory
 * @arg: for @setup
 *
 * Return: what @setup returned, or -1.
 */
int mce_owner_start(struct mce_owner *o, long (*setup)(void *arg), void *arg)
{
	int down[2], up[2];
	struct mce_answer a;

	if (pipe2(down, O_CLOEXEC) || pipe2(up, O_CLOEXEC))
		return -1;
	o->pid = fork();
	if (o->pid < 0)
		return -1;
	if (!o->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(down[1]);
		close(up[0]);
		owner(down[0], up[1]);
	}
	close(down[0]);
	close(up[1]);
	o->cmd = down[1];
	o->answer = up[0];
	return mce_owner_ask(o, setup, arg, &a) ? -1 : (int)a.ret;
}

/**
 * mce_owner_ask() - Let the owner call a function
 * @o: the owner
 * @fn: the function; it may die of SIGBUS
 * @arg: its argument
 * @a: what came of it
 *
 * The owner is a fork of the test: what @fn and @arg point to is there too.
 *
 * Return: 0, or -1 if the owner is gone or does not answer.
 */
int mce_owner_ask(struct mce_owner *o, long (*fn)(void *arg), const void *arg,
		  struct mce_answer *a)
{
	struct owner_call c = { .fn = fn, .arg = (void *)arg };
	struct pollfd pfd = { .fd = o->answer, .events = POLLIN };

	memset(a, 0, sizeof(*a));
	if (write(o->cmd, &c, sizeof(c)) != sizeof(c))
		return -1;
	if (poll(&pfd, 1, 25000) != 1 ||
	    read(o->answer, a, sizeof(*a)) != sizeof(*a))
		return -1;
	return 0;
}

static long owner_load(void *arg)
{
	struct load l = { .addr = arg };

	do_load(&l);
	return l.val;
}

/**
 * mce_owner_load() - Let the owner load a byte
 * @o: the owner
 * @addr: from here
 * @a: the byte in @ret, or the signal
 *
 * Return: 0, or -1 if the owner is gone or does not answer.
 */
int mce_owner_load(struct mce_owner *o, const void *addr, struct mce_answer *a)
{
	return mce_owner_ask(o, owner_load, addr, a);
}

/**
 * mce_owner_stop() - End the owner
 * @o: the owner; nothing happens if it was never started
 */
void mce_owner_stop(struct mce_owner *o)
{
	if (o->pid <= 0)
		return;
	close(o->cmd);
	close(o->answer);
	kill(o->pid, SIGKILL);
	waitpid(o->pid, NULL, 0);
	o->pid = 0;
}

/**
 * mce_symbol() - Where is a symbol of the kernel?
 * @name: of a function or variable; modules' come last
 *
 * Return: its address, or 0 if there is none, or it is not told.
 */
__u64 mce_symbol(const char *name)
{
	unsigned long long addr, found = 0;
	char line[256], symbol[128];
	FILE *f;

	f = fopen("/proc/kallsyms", "re");
	while (f && !found && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%llx %*c %127s", &addr, symbol) == 2 &&
		    !strcmp(symbol, name))
			found = addr;
	}
	if (f)
		fclose(f);
	return found;
}

/**
 * mce_put() - Write to a file under /proc or /sys
 * @path: its name
 * @text: what to write
 *
 * Return: 0, or a negative errno.
 */
int mce_put(const char *path, const char *text)
{
	return write_text(path, text);
}

/**
 * mce_get() - Read a number from a file under /proc or /sys
 * @path: its name
 *
 * Return: the number, or -1.
 */
long mce_get(const char *path)
{
	char text[32] = "";
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n > 0 ? strtol(text, NULL, 0) : -1;
}

/**
 * mce_owner_hears() - Does the owner of a lost page get the right signal
 * @addr: an address in the page; it is touched
 *
 * One SIGBUS with this address, and no machine check: the page is out of use.
 *
 * Return: "" if so, else what is wrong.
 */
const char *mce_owner_hears(const void *addr)
{
	static char wrong[128];
	struct mce_sigbus sb;
	struct mce_watch w;
	bool ok;

	mce_watch_start(&w);
	ok = mce_load(addr, NULL, &sb);
	mce_watch_end(&w, 0);
	wrong[0] = '\0';
	if (ok)
		snprintf(wrong, sizeof(wrong), "no signal, %ld #MC", w.mcs);
	else if (w.mcs || sb.count != 1 || sb.code != BUS_MCEERR_AR ||
		 !mce_sigbus_covers(&sb, addr))
		snprintf(wrong, sizeof(wrong),
			 "SIGBUS %s, lsb %d, address %s, %ld #MC",
			 mce_codename(sb.code), sb.lsb,
			 mce_sigbus_covers(&sb, addr) ? "right" : "wrong", w.mcs);
	return wrong;
}

/*
 * Not to be looked at, or of no use: bad and free pages, and what belongs to
 * processes and files and is found by other means. The last one is
 * KPF_RESERVED, which programs need not know, but /dev/mem warns of such a page.
 */
#define NOT_THE_KERNELS	(BIT_ULL(KPF_LRU) | BIT_ULL(KPF_BUDDY) |	\
			 BIT_ULL(KPF_ANON) | BIT_ULL(KPF_MMAP) |	\
			 BIT_ULL(KPF_NOPAGE) | BIT_ULL(KPF_HWPOISON) |	\
			 BIT_ULL(32))

/* Pages that a driver or a compressor keeps have no flag that says whose. */
#define NOT_A_DRIVERS	(NOT_THE_KERNELS | BIT_ULL(KPF_SLAB) |		\
			 BIT_ULL(KPF_HUGE) | BIT_ULL(KPF_THP) |		\
			 BIT_ULL(KPF_OFFLINE) | BIT_ULL(KPF_PGTABLE) |	\
			 BIT_ULL(KPF_UPTODATE))

/* Pages of a file that nobody has mapped: on the LRU, or on their way there. */
#define NOT_A_FILES	((NOT_THE_KERNELS & ~BIT_ULL(KPF_LRU)) |	\
			 BIT_ULL(KPF_SLAB))

/*
 * Pages that a CPU keeps to hand out again have no flag that tells them from a
 * driver's, and still their old content. Soft offlining a free page makes all
 * CPUs give theirs back.
 */
static void drain_free_pages(int kpf)
{
	unsigned long pfn = 4096;
	__u64 flags;

	while (pread(kpf, &flags, sizeof(flags), pfn * sizeof(flags)) ==
	       sizeof(flags)) {
		if (flags & BIT_ULL(KPF_BUDDY)) {
			write_number("/sys/devices/system/memory/soft_offline_page",
				     pfn * MCE_PAGE);
			return;
		}
		pfn++;
	}
}

/* In pages that have none of the flags in @not. The first one is for @phys. */
static int find_copies(int kpf, int mem, __u64 not, const void *what,
		       size_t len, __u64 *phys)
{
	static __u64 flags[4096];
	static __u8 page[MCE_PAGE];
	unsigned long pfn, i;
	int found = 0;
	ssize_t n;
	__u8 *at;

	/* The first megabyte is the firmware's. */
	for (pfn = 256;; pfn += n / sizeof(flags[0])) {
		n = pread(kpf, flags, sizeof(flags), pfn * sizeof(flags[0]));
		if (n <= 0)
			return found;
		for (i = 0; i < n / sizeof(flags[0]); i++) {
			if (flags[i] & not ||
			    pread(mem, page, MCE_PAGE,
				  (pfn + i) * MCE_PAGE) != MCE_PAGE)
				continue;
			at = memmem(page, MCE_PAGE, what, len);
			if (at && !found++)
				*phys = (pfn + i) * MCE_PAGE + (at - page);
		}
	}
}

/* What can be seen of memory: its flags and its content */
static int open_memory(int *kpf, int *mem)
{
	*kpf = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	if (*kpf < 0)
		return -errno;
	*mem = open("/dev/mem", O_RDONLY | O_CLOEXEC);
	if (*mem < 0) {
		close(*kpf);
		return -errno;
	}
	return 0;
}

/**
 * mce_find_copy() - Find the kernel's copy of some data in physical memory
 * @what: the data; better be unique
 * @len: its length, less than a page
 * @phys: where to put the physical address of the copy, or of the first one:
 *	later ones may come from /dev/mem's own buffer
 *
 * For what the kernel holds in memory of its own: pipe buffers, packets. Needs
 * a /dev/mem that gives access to memory, and no line armed.
 *
 * Return: the number of pages that have one, or a negative errno.
 */
int mce_find_copy(const void *what, size_t len, __u64 *phys)
{
	int kpf, mem, found = open_memory(&kpf, &mem);

	if (found)
		return found;
	found = find_copies(kpf, mem, NOT_THE_KERNELS, what, len, phys);
	close(kpf);
	close(mem);
	return found;
}

/**
 * mce_find_cached() - mce_find_copy() for what is cached and cannot be mapped
 * @what: the data; better be unique
 * @len: its length, less than a page
 * @phys: where to put the physical address of the copy
 *
 * Return: as for mce_find_copy().
 */
int mce_find_cached(const void *what, size_t len, __u64 *phys)
{
	int kpf, mem, found = open_memory(&kpf, &mem);

	if (found)
		return found;
	drain_free_pages(kpf);
	found = find_copies(kpf, mem, NOT_A_FILES, what, len, phys);
	close(kpf);
	close(mem);
	return found;
}

/**
 * mce_find_line() - Find a line of the kernel's copy of a buffer
 * @pattern: what mce_pattern() filled the buffer with, one page at least
 * @phys: where to put the physical address of a line that has nothing else
 *
 * Return: as for mce_find_copy().
 */
int mce_find_line(__u64 pattern, __u64 *phys)
{
	__u64 what[2 * MCE_LINE / sizeof(pattern)];
	unsigned int i;
	int found;

	for (i = 0; i < sizeof(what) / sizeof(pattern); i++)
		what[i] = pattern;
	found = mce_find_copy(what, sizeof(what), phys);
	if (found > 0)
		*phys = (*phys + MCE_LINE - 1) & ~(MCE_LINE - 1);
	return found;
}

/**
 * mce_find_driver_copy() - mce_find_copy() for RAM disks and compressed swap
 * @what: the data; better be unique
 * @len: its length, less than a page
 * @phys: where to put the physical address of the copy
 *
 * Leaves out what the slab allocator has, where other copies may lie about.
 *
 * Return: as for mce_find_copy().
 */
int mce_find_driver_copy(const void *what, size_t len, __u64 *phys)
{
	int kpf, mem, tries = 0, found = open_memory(&kpf, &mem);

	if (found)
		return found;
	/* What was freed just now may not be back in its place yet. */
	do {
		mce_put("/proc/sys/vm/compact_memory", "1");
		drain_free_pages(kpf);
		found = find_copies(kpf, mem, NOT_A_DRIVERS, what, len, phys);
	} while (found > 1 && ++tries < 4);
	close(kpf);
	close(mem);
	return found;
}
