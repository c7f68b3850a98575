/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the machine check tests share: arming a line of memory through EINJ,
 * counting machine checks, catching SIGBUS, and finding out what became of
 * a page.
 *
 * A case arms one 64-byte line, has it consumed once, and then looks at
 * everything that could have gone wrong. The library keeps a list of the pages
 * that were armed; what a case did not consume is taken out of use before the
 * page can go back to the allocator.
 */
#ifndef SELFTESTS_MCE_LIB_H
#define SELFTESTS_MCE_LIB_H

#include <linux/types.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "../kselftest.h"

/* The unit in which memory goes bad. */
#define MCE_LINE		64UL

/* The tests are for x86-64: base pages have one size only. */
#define MCE_PAGE		4096UL

/* File system magics, for mce_dir_on(). */
#define MCE_FS_EXT4		0xef53
#define MCE_FS_XFS		0x58465342
#define MCE_FS_TMPFS		0x01021994

/**
 * struct mce_sigbus - what a SIGBUS said
 * @count: how many arrived
 * @code: si_code of the last one
 * @lsb: si_addr_lsb of the last one
 * @addr: si_addr of the last one
 */
struct mce_sigbus {
	int count;
	int code;
	int lsb;
	void *addr;
};

/**
 * struct mce_watch - a stretch of time over which to count
 * @mcs: machine checks since mce_watch_start(), filled by mce_watch_end()
 * @offlined: growth of HardwareCorrupted, in pages
 * @log: first line of the kernel log that should not be there, or ""
 * @cpu: CPU of the caller at the start
 * @mcs_before: counter at the start
 * @pages_before: HardwareCorrupted at the start, in pages
 * @kmsg: the kernel log, positioned at the start
 */
struct mce_watch {
	long mcs;
	long offlined;
	char log[256];
	int cpu;
	long mcs_before;
	long pages_before;
	int kmsg;
};

/**
 * struct mce_file - a file under test
 * @path: its name, "" if there is none
 * @buf: a buffer of its size, page aligned
 * @pages: size
 * @fd: open for reading and writing
 * @phys: physical address of what was armed last
 */
struct mce_file {
	char path[PATH_MAX];
	__u8 *buf;
	size_t pages;
	int fd;
	__u64 phys;
};

/**
 * struct mce_bystander - a process that has the same file mapped
 * @pid: its process id
 * @cmd: the test writes commands here
 * @answer: and reads answers here
 */
struct mce_bystander {
	pid_t pid;
	int cmd;
	int answer;
};

/**
 * struct mce_owner - a process that has memory that others read
 * @pid: its process id
 * @cmd: the test writes commands here
 * @answer: and reads answers here
 */
struct mce_owner {
	pid_t pid;
	int cmd;
	int answer;
};

/**
 * struct mce_answer - what the owner says
 * @ret: what the function returned
 * @ok: it returned, no SIGBUS ended it
 * @early: SIGBUSes that came while the owner did nothing
 * @sb: the SIGBUS
 */
struct mce_answer {
	long ret;
	bool ok;
	int early;
	struct mce_sigbus sb;
};

/* What a machine check of the poison PC can leave out, for mce_leave_out() */
#define MCE_NO_ADDRV	1	/* no address */
#define MCE_PAGE_LSB	2	/* address good to a page only (Intel) */
#define MCE_NO_RIPV	4	/* no way to go on */
#define MCE_NO_EIPV	8	/* not the instruction that met it */
#define MCE_NO_STICKY	16	/* an older error hides that there is another (Intel) */
#define MCE_NO_BANK	32	/* no error in any bank */

/* Is there anything to test with? */
const char *mce_missing(void);
int mce_main(int argc, char **argv, int (*run)(int argc, char **argv));

/* Addresses */
int mce_phys(const void *addr, __u64 *phys);
int mce_phys_of(pid_t pid, const void *addr, __u64 *phys);
int mce_file_phys(int fd, off_t off, __u64 *phys);
int mce_file_phys_get(int fd, off_t off, __u64 *phys, void **map);

/* Copies that the kernel holds */
__u64 mce_pattern(void *buf, size_t len);
int mce_find_copy(const void *what, size_t len, __u64 *phys);
int mce_find_line(__u64 pattern, __u64 *phys);
int mce_find_cached(const void *what, size_t len, __u64 *phys);

/* Arming */
int mce_arm_phys(__u64 phys);
int mce_arm(const void *addr, __u64 *phys);
int mce_arm_file(int fd, off_t off, __u64 *phys);
void mce_retire(void);

/* Counting */
void mce_watch_start(struct mce_watch *w);
void mce_watch_end(struct mce_watch *w, long pages);
void mce_watch_log(struct mce_watch *w);
bool mce_counts_exactly(void);
const __u64 *mce_poisonpc(void);
int mce_leave_out(__u64 what);
int mce_latent(__u64 phys);
bool mce_is_amd(void);
bool mce_is_local(void);
long mce_expected(const char *what, long standard);

/* A page's fate */
__u64 mce_page_flags(__u64 phys);
bool mce_page_offlined(__u64 phys);
bool mce_page_large(__u64 phys);
long mce_corrupted_pages(void);

/* SIGBUS */
bool mce_guard(void (*fn)(void *arg), void *arg, struct mce_sigbus *sb);
bool mce_load(const void *addr, __u8 *val, struct mce_sigbus *sb);
bool mce_sigbus_covers(const struct mce_sigbus *sb, const void *addr);

/* Data that can be checked */
void mce_fill(void *buf, size_t len, __u64 seed, off_t off);
long mce_differs(const void *buf, size_t len, __u64 seed, off_t off);

/* Files */
bool mce_dir_on(unsigned long magic, char *dir, size_t len);
size_t mce_block_size(unsigned long magic);
int mce_file_create(const char *path, size_t pages, size_t chunk, __u64 seed);
int mce_file_open(struct mce_file *f, unsigned long magic, size_t pages,
		  size_t chunk, __u64 seed);
void mce_file_close(struct mce_file *f);
void mce_drop_caches(void);
int mce_squeeze(void);

/* Processes and CPUs */
int mce_pin(int cpu);
int mce_bystander_start(struct mce_bystander *b, const char *path, off_t off,
			bool early);
int mce_bystander_ask(struct mce_bystander *b, __u64 seed);
void mce_bystander_stop(struct mce_bystander *b);
int mce_owner_start(struct mce_owner *o, long (*setup)(void *arg), void *arg);
int mce_owner_ask(struct mce_owner *o, long (*fn)(void *arg), const void *arg,
		  struct mce_answer *a);
int mce_owner_load(struct mce_owner *o, const void *addr, struct mce_answer *a);
void mce_owner_stop(struct mce_owner *o);

/* io_uring, as little as it takes */
int mce_uring_read(int fd, void *buf, size_t len, off_t off);
int mce_uring_write_fixed(int fd, void *buf, size_t len, off_t off);

/* Housekeeping of the kernel, and what it leaves of a page */
__u64 mce_symbol(const char *name);
int mce_put(const char *path, const char *text);
long mce_get(const char *path);
const char *mce_owner_hears(const void *addr);
int mce_find_driver_copy(const void *what, size_t len, __u64 *phys);

/* Telling what happened */
void __printf(1, 2) mce_outcome(const char *fmt, ...);
const char *mce_errname(int err);
const char *mce_codename(int code);

#endif /* SELFTESTS_MCE_LIB_H */
