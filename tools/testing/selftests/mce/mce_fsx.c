// SPDX-License-Identifier: GPL-2.0
/*
 * Random operations on files whose pages go bad at random, and a model that
 * knows for each byte what a reader may get, in the manner of fsx.
 *
 *	mce_fsx SEED OPS DIR [OPTION]...
 *
 * DIR is a directory, or "fuse", "fuse-wb" or "9p": a file system that this
 * program makes. Options:
 *
 *	--without=LIST	leave out these operations; "help" names them; "oldmap" are
 *			mappings that stay, "forever" is an error of fsync that does
 *	--only=LIST	only these
 *	--seeds=N	SEED and the N - 1 that follow, whatever is found
 *	--no-poison	nothing goes bad: the model itself is tested
 *	--reader	a second thread reads meanwhile; the order is no longer certain
 *	--unit=BYTES	what is lost at once (the larger of page and block)
 *	--pages=N	size of a file at most
 *	--shrink=SECS	how long to look for a shorter sequence (20, or 0)
 *	--keep=LIST	only the operations of the sequence with these numbers, as it tells
 *			them when it has shrunk one
 *	--remount=OPTS	mount options for DIR, such as nodelalloc or huge=always
 *	--journal	the files' data goes through ext4's journal as well
 *	--verbose	tell each operation before it is done
 *
 * MCE_SEED, MCE_OPS and MCE_FSX (options, separated by "+" or spaces) in the
 * environment go for the cases of "make check" as well.
 *
 * A byte of a file is the newest that was written there, or zero where it was
 * cut; or an error since it was lost. Lost can be what was armed while it was
 * dirty, or dirtied when it was armed. From the first error on it has to remain
 * an error until all of it is overwritten or cut. It is never older data, never
 * another file's, never what belongs elsewhere, never zero. What was armed while
 * it was clean is right for ever. Where a call failed in the middle, a byte may be
 * what it was or what it should have been, but not both.
 *
 * Every eight bytes that are written tell their version (the number of the
 * operation), file and position to who can read them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/kernel-page-flags.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "mce_9p.h"
#include "mce_fuse.h"
#include "mce_lib.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#endif

#define BIT(nr)		(1ULL << (nr))
#define NFILES		2
#define MAX_PAGES	256
#define MAX_SIZE	(MAX_PAGES * MCE_PAGE)
#define MAX_OPS		200000
#define NR_LATENT	16
#define LATENT_OPS	12	/* so many operations until somebody has to meet it */
#define SETTLE_NS	50000000ULL
#define HANG_SECONDS	30

/* --- operations ------------------------------------------------------------ */

enum kind {
	OP_READ, OP_READV, OP_DREAD, OP_WRITE, OP_FAULTING, OP_BADSRC, OP_DWRITE,
	OP_LOAD, OP_STORE, OP_PRIVATE, OP_FORK, OP_TRUNCATE, OP_PUNCH, OP_ZERO,
	OP_COLLAPSE, OP_INSERT, OP_CLONE, OP_CLONEALL, OP_COPY, OP_DEDUPE, OP_SEEK,
	OP_FSYNC, OP_FDATASYNC, OP_SYNCRANGE, OP_DONTNEED, OP_DROP, OP_REOPEN,
	OP_OPEN, OP_RENAME, OP_SPLICE, OP_SENDFILE, OP_CHECK, OP_ARM, OP_OFFLINE,
	/* Not done by themselves: there are mappings that stay; fsync has to end. */
	OP_OLDMAP, OP_FOREVER,
	NR_KINDS,
};

static const struct {
	const char *name;
	unsigned int weight;
} kinds[NR_KINDS] = {
	[OP_READ] =	{ "read", 10 },
	[OP_READV] =	{ "readv", 3 },
	[OP_DREAD] =	{ "dread", 4 },
	[OP_WRITE] =	{ "write", 14 },
	[OP_FAULTING] =	{ "faulting", 4 },
	[OP_BADSRC] =	{ "badsrc", 1 },
	[OP_DWRITE] =	{ "dwrite", 4 },
	[OP_LOAD] =	{ "load", 6 },
	[OP_STORE] =	{ "store", 6 },
	[OP_PRIVATE] =	{ "private", 2 },
	[OP_FORK] =	{ "fork", 1 },
	[OP_TRUNCATE] =	{ "truncate", 4 },
	[OP_PUNCH] =	{ "punch", 4 },
	[OP_ZERO] =	{ "zero", 3 },
	[OP_COLLAPSE] =	{ "collapse", 2 },
	[OP_INSERT] =	{ "insert", 2 },
	[OP_CLONE] =	{ "clone", 4 },
	[OP_CLONEALL] =	{ "cloneall", 1 },
	[OP_COPY] =	{ "copy", 4 },
	[OP_DEDUPE] =	{ "dedupe", 2 },
	[OP_SEEK] =	{ "seek", 3 },
	[OP_FSYNC] =	{ "fsync", 4 },
	[OP_FDATASYNC] = { "fdatasync", 2 },
	[OP_SYNCRANGE] = { "syncrange", 3 },
	[OP_DONTNEED] =	{ "dontneed", 3 },
	[OP_DROP] =	{ "drop", 1 },
	[OP_REOPEN] =	{ "reopen", 2 },
	[OP_OPEN] =	{ "open", 2 },
	[OP_RENAME] =	{ "rename", 1 },
	[OP_SPLICE] =	{ "splice", 3 },
	[OP_SENDFILE] =	{ "sendfile", 3 },
	[OP_CHECK] =	{ "check", 2 },
	[OP_ARM] =	{ "arm", 10 },
	[OP_OFFLINE] =	{ "offline", 1 },
	[OP_OLDMAP] =	{ "oldmap", 0 },
	[OP_FOREVER] =	{ "forever", 0 },
};

/* Everything that an operation needs: it is the same if others are left out. */
struct op {
	__u8 kind;
	__u8 file;
	__u8 file2;
	__u32 how;		/* random bits that choose between ways to do it */
	__u32 version;		/* what it writes; its number in the full sequence */
	off_t off, off2;
	size_t len;
};

/* --- what is tested ------------------------------------------------------- */

struct config {
	char dir[PATH_MAX - 64];
	enum { ON_DIR, ON_FUSE, ON_FUSE_WB, ON_9P } on;
	bool keep;		/* no disk below: what is lost is lost, dirty or not */
	size_t unit, block, pages;
	bool large;		/* folios: what is near is written out together */
	bool ext4;
	__u64 enabled;		/* operations */
	bool poison, reader, verbose, journal;
	unsigned int shrink;
	unsigned int keep_op[64], nr_keep;	/* their numbers, ascending */
};

static struct config cfg;

enum state { GOOD, MAYBE, LOST };

struct latent {
	bool used;
	unsigned int file;
	size_t page;
	__u64 phys;
	unsigned int age;
	bool clean;		/* when it was armed, and since */
	__u64 died;		/* it is out of use since then, in ns */
};

struct file {
	char path[PATH_MAX];
	bool renamed;
	int fd, fd2, direct;
	__u8 *map;
	/* The model */
	off_t size;
	__u8 val[MAX_SIZE], alt[MAX_SIZE], two[MAX_SIZE];
	__u8 state[MAX_PAGES], before[MAX_PAGES];
	bool by_signal[MAX_PAGES];	/* so far only a mapping knows */
	/*
	 * Something may have been lost. That is told by fsync(2), and may be by whatever
	 * else writes out first, wherever in the file.
	 */
	bool ever;
	__u64 touched[MAX_PAGES];
};

static struct file *files;
static unsigned int nr_files;
static struct latent latent[NR_LATENT];
static __u8 *buf, *src, *edge;	/* @edge is the end of readable memory */
static int kpf = -1;
static struct fuse_mount fuse;
static struct p9_mount p9;

/* What a child tells its parent. */
struct board {
	unsigned long done, armed, errors, lost, escaped, skipped;
	unsigned long by_kind[NR_KINDS];
	char now[256];
	bool found;
	char class[128];
	char text[1024];
};

static struct board *board;
static sigjmp_buf out;
static unsigned int at;		/* index of the operation that runs */
static __u64 serial;		/* of model changes, for the reader */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread bool holding;
static pthread_t main_thread;

static void take(void)
{
	pthread_mutex_lock(&lock);
	holding = true;
}

static void give(void)
{
	if (holding)
		pthread_mutex_unlock(&lock);
	holding = false;
}

static __u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static __u64 mix(__u64 x)
{
	x = (x ^ (x >> 31)) * 0x7fb5d329728ea185ULL;
	x = (x ^ (x >> 27)) * 0x81dadef4bc2dd44dULL;
	return x ^ (x >> 33);
}

/* --- data that tells what it is ---------------------------------------------- */

#define ODD	0x9e3779b97f4a7c15ULL
#define UNODD	0xf1de83e19937733dULL	/* ODD * UNODD is 1 */

static __u64 tag_of(__u64 what)
{
	return mix(what) >> 40;
}

/* 22 bits of version, 2 of file, 16 of position, 24 that show that it is one. */
static __u64 cell(unsigned int version, unsigned int file, off_t pos)
{
	__u64 what = (__u64)(version & 0x3fffff) << 18 | file << 16 | pos / 8;

	what = (what << 24 | tag_of(what)) * ODD;
	what ^= what >> 32;
	return what * ODD;
}

static bool decode(__u64 word, unsigned int *version, unsigned int *file, off_t *pos)
{
	__u64 what = word * UNODD;

	what ^= what >> 32;
	what *= UNODD;
	if (tag_of(what >> 24) != (what & 0xffffff))
		return false;
	what >>= 24;
	*version = what >> 18;
	*file = what >> 16 & 3;
	*pos = (what & 0xffff) * 8;
	return true;
}

/* One access each, in order, so that it is known what a signal interrupts. */
#define GET(x)		__atomic_load_n(&(x), __ATOMIC_SEQ_CST)
#define SET(x, val)	__atomic_store_n(&(x), val, __ATOMIC_SEQ_CST)

static void fill(__u8 *to, unsigned int version, unsigned int file, off_t off, size_t len)
{
	size_t i;

	for (i = 0; i < len; ) {
		__u64 word = cell(version, file, off + i);
		unsigned int from = (off + i) % 8, n = 8 - from;

		if (n > len - i)
			n = len - i;
		memcpy(to + i, (__u8 *)&word + from, n);
		i += n;
	}
}

/* --- findings ----------------------------------------------------------------- */

static void __printf(2, 3) found(const char *class, const char *fmt, ...)
{
	va_list ap;

	if (!__atomic_exchange_n(&board->found, true, __ATOMIC_SEQ_CST)) {
		snprintf(board->class, sizeof(board->class), "%s", class);
		va_start(ap, fmt);
		vsnprintf(board->text, sizeof(board->text), fmt, ap);
		va_end(ap);
	}
	if (pthread_equal(pthread_self(), main_thread))
		siglongjmp(out, 1);
	give();
	pthread_exit(NULL);
}

static const char *const state_names[] = { "good", "doubtful", "lost" };

static void describe(char *text, size_t len, const __u8 *word)
{
	unsigned int version, file;
	__u64 w;
	off_t pos;

	memcpy(&w, word, sizeof(w));
	if (!w)
		snprintf(text, len, "zeroes");
	else if (decode(w, &version, &file, &pos))
		snprintf(text, len, "#%u of file %u at %#lx", version, file, (long)pos);
	else
		snprintf(text, len, "%016llx", (unsigned long long)w);
}

/*
 * What @data has at @off of the file is not what the model has. Say whose it is.
 * @from is where @data begins, @to where it ends.
 */
static void wrong_data(struct file *f, const char *what, const __u8 *data, off_t from, off_t to,
		       off_t off, bool lost)
{
	const char *kind = "garbage";
	unsigned int v = 0, fi, v2 = 0, fi2;
	off_t word = off / 8 * 8, p = 0, p2;
	char got[64] = "?", want[64] = "?", class[128];
	const off_t max = MAX_SIZE;
	__u64 w = 0, m = 0;

	/* A word that is whole, and as wrong, may be the next one. */
	if ((word < from || word + 8 > f->size) && word + 16 <= to && word + 16 <= f->size)
		word += 8;
	if (word >= from && word + 8 <= to && word + 8 <= max) {
		memcpy(&w, data + (word - from), 8);
		memcpy(&m, f->val + word, 8);
		describe(got, sizeof(got), (__u8 *)&w);
		describe(want, sizeof(want), (__u8 *)&m);
		if (w == m)
			kind = "right";
		else if (!w)
			kind = "zeroes";
		else if (!decode(w, &v, &fi, &p))
			kind = "mixed";
		else if (!decode(m, &v2, &fi2, &p2))
			kind = m ? "unexpected" : "stale (cut)";
		else if (v < v2)
			kind = "stale";
		else if (fi != fi2)
			kind = "another file's";
		else
			kind = "misplaced";
	} else if (!data[off - from]) {
		kind = "zeroes";
	}
	snprintf(class, sizeof(class), "%s: %s data in a %s page%s", what, kind,
		 lost ? "lost" : state_names[f->state[off / cfg.unit]],
		 lost && f->by_signal[off / cfg.unit] ? ", after SIGBUS" : "");
	found(class, "%s at %#lx (page %#lx) of file %u: got %s, model has %s%s", what, (long)off,
	      (long)(off / MCE_PAGE), (unsigned int)(f - files), got, want,
	      f->two[off] ? " or another" : "");
}

/* --- bad memory ------------------------------------------------------------- */

static __u64 page_flags(__u64 phys)
{
	__u64 flags = 0;

	if (pread(kpf, &flags, sizeof(flags), phys / MCE_PAGE * sizeof(flags)) != sizeof(flags))
		return 0;
	return flags;
}

static bool is_dirty(__u64 flags)
{
	return flags & (BIT(KPF_DIRTY) | BIT(KPF_WRITEBACK));
}

static void hard_offline(__u64 phys)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)phys);
	mce_put("/sys/devices/system/memory/hard_offline_page", text);
}

/* As mce_drop_caches(), without a line in the log each time. */
static void forget_clean(void)
{
	mce_put("/proc/sys/vm/drop_caches", "7");
}

/* Is a line of this unit poisoned still, or only just out of use? */
static bool pending(struct file *f, size_t unit)
{
	unsigned int i;

	for (i = 0; i < NR_LATENT; i++)
		if (latent[i].used && &files[latent[i].file] == f &&
		    latent[i].page * MCE_PAGE / cfg.unit == unit)
			return true;
	return false;
}

/* It may be lost from now on. */
static void doubt(struct file *f, size_t unit)
{
	f->ever = true;
	if (f->state[unit] == GOOD)
		f->state[unit] = MAYBE;
}

/* A latent page that was clean is about to be dirtied. */
static void dirtied(struct file *f, size_t unit)
{
	if (pending(f, unit))
		doubt(f, unit);
}

/* After each operation: what has become of the poisoned pages? */
static void look_at_latent(void)
{
	const __u64 in_use = BIT(KPF_LRU) | BIT(KPF_UPTODATE) | BIT(KPF_MMAP) | BIT(KPF_WRITEBACK);
	unsigned int i;
	__u64 flags;

	for (i = 0; i < NR_LATENT; i++) {
		struct latent *l = &latent[i];

		if (!l->used)
			continue;
		flags = page_flags(l->phys);
		if (is_dirty(flags) && !(flags & BIT(KPF_HWPOISON)))
			doubt(&files[l->file], l->page * MCE_PAGE / cfg.unit);
		if (flags & BIT(KPF_HWPOISON)) {
			if (!l->died)
				l->died = now_ns();
			else if (now_ns() - l->died > SETTLE_NS)
				l->used = false;
			continue;
		}
		if (l->died) {
			/* It was taken back into use? Nothing here does that. */
			l->used = false;
		} else if (flags & BIT(KPF_BUDDY) || !(flags & in_use)) {
			/* Freed: before anybody else has it. */
			hard_offline(l->phys);
			board->escaped++;
			l->died = now_ns();
		}
		l->age++;
	}
}

/* --- what a reader may get ------------------------------------------------- */

static off_t min_off(off_t a, off_t b)
{
	return a < b ? a : b;
}

static size_t unit_of(off_t off)
{
	return off / cfg.unit;
}

static bool suspicious(struct file *f, off_t off)
{
	return off < (off_t)MAX_SIZE && off >= 0 && f->state[unit_of(off)] != GOOD;
}

static bool suspicious_range(struct file *f, off_t from, off_t to)
{
	size_t u;

	for (u = unit_of(from); (off_t)(u * cfg.unit) < to && u < MAX_PAGES; u++)
		if (f->state[u] != GOOD)
			return true;
	return false;
}

/* An error has been seen there. */
static void lost_at(struct file *f, off_t off, bool by_signal)
{
	size_t u = unit_of(off);

	if (f->state[u] == LOST)
		by_signal &= f->by_signal[u];
	else
		__atomic_add_fetch(&board->lost, 1, __ATOMIC_RELAXED);
	f->state[u] = LOST;
	f->by_signal[u] = by_signal;
}

/*
 * A mapping is told of a page before the page leaves the cache, and its good lines
 * may be read until then.
 */
static bool is_going(struct file *f, const __u8 *data, off_t off, size_t len)
{
	size_t u = unit_of(off), i;

	if (!f->by_signal[u] || !pending(f, u))
		return false;
	for (i = 0; i < len; i++)
		if (data[i] != f->val[off + i] && !f->two[off + i])
			return false;
	return true;
}

/* @data is what somebody got for [off, off + len). */
static void check_data(struct file *f, const char *what, const __u8 *data, off_t off, size_t len)
{
	off_t end = off + len, next, i;

	if (end > f->size)
		found("more than the file has", "%s: up to %#lx, size %#lx", what, (long)end,
		      (long)f->size);
	for (; off < end; off = next) {
		size_t u = unit_of(off);
		const __u8 *d = data + (off - (end - (off_t)len));

		next = min_off(end, (u + 1) * cfg.unit);
		if (f->before[u] == LOST && f->state[u] == LOST && !is_going(f, d, off, next - off))
			wrong_data(f, what, d, off, next, off, true);
		if (memcmp(d, f->val + off, next - off)) {
			for (i = off; i < next; i++) {
				if (d[i - off] == f->val[i])
					continue;
				if (f->two[i] && d[i - off] == f->alt[i])
					f->val[i] = f->alt[i];
				else
					wrong_data(f, what, d, off, next, i, false);
			}
		}
		memset(f->two + off, 0, next - off);
		/* A part tells for the whole if that is a page. */
		if (f->state[u] == MAYBE && !pending(f, u) &&
		    (cfg.unit == MCE_PAGE || next - off == (off_t)cfg.unit))
			f->state[u] = GOOD;
	}
}

/* Who writes out this range first may be told of what is in the same folio. */
static bool flush_excuse(struct file *f, off_t from, off_t to)
{
	return cfg.large ? suspicious_range(f, 0, MAX_SIZE) : suspicious_range(f, from, to);
}

static bool is_told(int err)
{
	return err == EIO || err == EHWPOISON;
}

/*
 * Somebody wanted [off, off + want), got @ret bytes in @data or an error. With
 * @whole it is a matter of all of them.
 */
static void check_read(struct file *f, const char *what, const __u8 *data, off_t off, size_t want,
		       ssize_t ret, int err, bool whole)
{
	size_t there = off >= f->size ? 0 : min_off(want, f->size - off);
	char class[128];
	bool excused;

	if (ret > 0)
		check_data(f, what, data, off, ret);
	if (ret == (ssize_t)there)
		return;
	if (ret < 0) {
		__atomic_add_fetch(&board->errors, 1, __ATOMIC_RELAXED);
		ret = 0;
		if (!is_told(err)) {
			snprintf(class, sizeof(class), "%s: errno %d", what, err);
			found(class, "%s of %#lx bytes at %#lx of file %u: errno %d (%s)", what,
			      (long)want, (long)off, (unsigned int)(f - files), err, strerror(err));
		}
	} else {
		err = 0;
	}
	excused = whole ? flush_excuse(f, off, off + there) : suspicious(f, off + ret);
	if (!excused || (!there && err)) {
		snprintf(class, sizeof(class), "%s: %s of a good page", what,
			 err ? "error" : "short read");
		found(class, "%s of %#lx bytes at %#lx of file %u: %s after %#zx, good page %#lx",
		      what, (long)want, (long)off, (unsigned int)(f - files),
		      err ? strerror(err) : "ends", ret, (long)((off + ret) / MCE_PAGE));
	}
	if (err && !whole)
		lost_at(f, off + ret, false);
}

/* --- what a writer does to the model ------------------------------------------ */

/* [off, off + len) has new data: @data, or zeroes. */
static void set_data(struct file *f, off_t off, size_t len, const __u8 *data, bool whole_helps)
{
	off_t end = off + len, next, start = off, old = f->size;
	size_t u;

	if (!len)
		return;
	/* Between the old end and here are zeroes. */
	if (off > old) {
		memset(f->val + old, 0, off - old);
		memset(f->two + old, 0, off - old);
		dirtied(f, unit_of(old));
	}
	if (data)
		memcpy(f->val + off, data, len);
	else
		memset(f->val + off, 0, len);
	memset(f->two + off, 0, len);
	if (end > f->size)
		f->size = end;
	for (; off < end; off = next) {
		u = unit_of(off);
		next = min_off(end, (u + 1) * cfg.unit);
		dirtied(f, u);
		if (f->state[u] == GOOD || !whole_helps || start > (off_t)(u * cfg.unit))
			continue;
		if (end >= (off_t)((u + 1) * cfg.unit))
			f->state[u] = pending(f, u) ? MAYBE : GOOD;
		else if (end >= f->size)
			f->state[u] = MAYBE;
	}
}

/* A call failed: [off, off + len) is what it was, or as it should be. */
static void set_either(struct file *f, off_t off, size_t len, const __u8 *data)
{
	size_t i;

	if (off >= f->size)
		return;
	len = min_off(len, f->size - off);
	for (i = 0; i < len; i++) {
		__u8 b = data ? data[i] : 0;

		if (f->val[off + i] == b)
			continue;
		f->alt[off + i] = b;
		f->two[off + i] = 1;
	}
	for (i = unit_of(off); i <= unit_of(off + len - 1); i++)
		dirtied(f, i);
}

/* The same for what was to be cut: in a lost page there is nothing to go back to. */
static void set_either_cut(struct file *f, off_t off, size_t len)
{
	off_t end = min_off(off + len, f->size), next;
	size_t u;

	for (; off < end; off = next) {
		u = unit_of(off);
		next = min_off(end, (u + 1) * cfg.unit);
		set_either(f, off, next - off, NULL);
		if (f->state[u] == LOST && off == (off_t)(u * cfg.unit) &&
		    (next == (off_t)((u + 1) * cfg.unit) || next == f->size)) {
			memset(f->val + off, 0, next - off);
			memset(f->two + off, 0, next - off);
			f->state[u] = MAYBE;
		}
	}
}

static void set_size(struct file *f, off_t size)
{
	size_t u;

	if (size > f->size) {
		memset(f->val + f->size, 0, size - f->size);
		memset(f->two + f->size, 0, size - f->size);
		dirtied(f, unit_of(f->size));
		f->size = size;
		return;
	}
	memset(f->val + size, 0, f->size - size);
	memset(f->two + size, 0, f->size - size);
	/* The page with the new end is still what it was. */
	for (u = unit_of(size + cfg.unit - 1); u < MAX_PAGES; u++)
		f->state[u] = GOOD;
	if (size % cfg.unit)
		dirtied(f, unit_of(size));
	f->size = size;
}

/* --- operations ----------------------------------------------------------- */

static int some_fd(struct file *f, const struct op *o)
{
	return o->how & 1 && f->fd2 >= 0 ? f->fd2 : f->fd;
}

static void do_read(struct file *f, const char *what, int fd, off_t off, size_t len)
{
	ssize_t ret;

	memset(buf, 0xee, len);
	ret = pread(fd, buf, len, off);
	check_read(f, what, buf, off, len, ret, errno, false);
}

/* One of two values that a byte may have is known if it is read. */
static void resolve(struct file *f, off_t off, size_t len)
{
	off_t end = min_off(off + len, f->size), next;

	for (; off < end; off = next) {
		next = min_off(end, (unit_of(off) + 1) * cfg.unit);
		if (memchr(f->two + off, 1, next - off))
			do_read(f, "read", f->fd, off, next - off);
		/* Lost, then: nobody will ever know. */
		memset(f->two + off, 0, next - off);
	}
}

/*
 * A poisoned page that nobody has met must not go back to the allocator, where it
 * might become the kernel's. So it is met before an operation that frees it.
 */
static void meet_before_free(struct file *f, off_t from, off_t to, bool dirty_too)
{
	unsigned int i;

	for (i = 0; i < NR_LATENT; i++) {
		struct latent *l = &latent[i];
		off_t off = l->page * MCE_PAGE;

		if (!l->used || l->died || &files[l->file] != f)
			continue;
		if (off >= to || from >= off + (off_t)MCE_PAGE)
			continue;
		if (!dirty_too && is_dirty(page_flags(l->phys)))
			continue;
		if (off < f->size)
			do_read(f, "read", f->fd, off, min_off(MCE_PAGE, f->size - off));
		look_at_latent();
		if (l->used && !l->died) {
			hard_offline(l->phys);
			look_at_latent();
		}
	}
}

static void meet_all(void)
{
	unsigned int i;

	for (i = 0; i < nr_files; i++)
		meet_before_free(&files[i], 0, MAX_SIZE, true);
}

static void check_size(struct file *f, const char *what)
{
	struct stat st;
	char class[128];

	if (fstat(f->fd, &st) || st.st_size != f->size) {
		snprintf(class, sizeof(class), "%s: size", what);
		found(class, "size of file %u after %s: %#lx, should be %#lx",
		      (unsigned int)(f - files), what, (long)st.st_size, (long)f->size);
	}
}

/* A failed call that makes the file longer may have done that. */
static void accept_size(struct file *f, off_t most)
{
	struct stat st;

	if (!fstat(f->fd, &st) && st.st_size > f->size && st.st_size <= most)
		set_size(f, st.st_size);
}

/* What is written to a line that is poisoned may be lost on its way. */
static bool risky_range(struct file *f, off_t from, off_t to)
{
	size_t u;

	for (u = unit_of(from); (off_t)(u * cfg.unit) < to && u < MAX_PAGES; u++)
		if (f->state[u] != GOOD || pending(f, u))
			return true;
	return false;
}

/*
 * Who writes behind the end has what is there cleared first, and written out; so
 * another page's error may be told.
 */
static bool behind_lost_end(struct file *f, off_t from)
{
	return from >= f->size && f->size && (f->ever || risky_range(f, f->size - 1, f->size));
}

/* A call that writes has failed, or not done all. */
static void check_excuse(struct file *f, const char *what, off_t from, off_t to, int err)
{
	char class[128];

	__atomic_add_fetch(&board->errors, 1, __ATOMIC_RELAXED);
	if (err && !is_told(err)) {
		snprintf(class, sizeof(class), "%s: errno %d", what, err);
		found(class, "%s to %#lx-%#lx of file %u: errno %d (%s)", what, (long)from,
		      (long)to, (unsigned int)(f - files), err, strerror(err));
	}
	if (risky_range(f, from, to) || behind_lost_end(f, from))
		return;
	snprintf(class, sizeof(class), "%s: %s, and all pages are good", what,
		 err ? "error" : "short");
	found(class, "%s to %#lx-%#lx of file %u: %s", what, (long)from, (long)to,
	      (unsigned int)(f - files), err ? strerror(err) : "short");
}

/*
 * Units of [from, to) that are written as a whole, [start, end), are good then, lost
 * or not before: no reason to fail.
 */
static void check_whole(struct file *f, const char *what, off_t from, off_t to, off_t start,
			off_t end)
{
	char class[128];
	size_t u;

	if (behind_lost_end(f, from))
		return;
	for (u = unit_of(from); (off_t)(u * cfg.unit) < to && u < MAX_PAGES; u++) {
		if (f->state[u] == GOOD && !pending(f, u))
			continue;
		if (pending(f, u) || start > (off_t)(u * cfg.unit) ||
		    end < (off_t)((u + 1) * cfg.unit))
			return;
	}
	snprintf(class, sizeof(class), "%s: error of a whole overwrite", what);
	found(class, "%s to %#lx-%#lx of file %u, from %#lx on: all of each lost page", what,
	      (long)start, (long)end, (unsigned int)(f - files), (long)from);
}

static void do_write(struct file *f, const struct op *o, int fd, off_t off, size_t len)
{
	const char *what = kinds[o->kind].name;
	size_t can = len;
	__u8 *from = src;
	int err, tries = 0;
	ssize_t ret;

	fill(src, o->version, o->file, off, len);
	if (o->kind == OP_FAULTING) {
		can = o->how >> 8 & 1 ? (o->how >> 9) % len : (o->how >> 9) % (MCE_PAGE + 1);
		can = min_off(can, len);
		from = edge - can;
		memcpy(from, src, can);
	} else if (o->kind == OP_BADSRC) {
		from = mmap(NULL, len, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (from == MAP_FAILED)
			return;
		memcpy(from, src, len);
		can = (o->how >> 9) % len / MCE_LINE * MCE_LINE;
		if (cfg.poison && !mce_arm(from + can, NULL))
			board->armed++;
		else
			can = len;
	}
	/* netfs may write out before, and tell an error of another page, once. */
	do {
		ret = pwrite(fd, from, len, off);
		err = errno;
	} while (ret < 0 && err == EIO && cfg.on == ON_9P && f->ever && ++tries < 3);
	if (cfg.verbose)
		printf("#   %zd of %zu, at most %zu, %s\n", ret, len, can,
		       ret < 0 ? strerror(err) : "");
	if (o->kind == OP_BADSRC) {
		/* Not back to the allocator, whether it was met or not. */
		__u64 phys;

		if (can < len && !mce_phys(from + can, &phys))
			hard_offline(phys);
		munmap(from, len);
	}
	if (ret > (ssize_t)can) {
		char class[128];

		snprintf(class, sizeof(class), "%s: more than there was", what);
		found(class, "%s of %#zx readable bytes at %#lx returned %#zx", what, can,
		      (long)off, ret);
	}
	if (ret > 0)
		set_data(f, off, ret, src, true);
	if (ret == (ssize_t)len)
		return;
	accept_size(f, off);
	/*
	 * At the end of the file, ext4 leaves blocks reserved behind it, poison or not. Who
	 * reads them directly has -EIO. To truncate it to the size that it has helps.
	 */
	if (cfg.ext4 && off + (off_t)len > f->size && !ftruncate(f->fd, f->size))
		set_size(f, f->size);
	if (ret < 0 && err == EFAULT && can < len)
		return;
	if (ret >= 0 && can < len)
		return;
	if (ret < 0)
		ret = 0;
	if (cfg.on == ON_DIR) {
		check_excuse(f, what, off + ret, off + ret + 1, ret ? 0 : err);
		check_whole(f, what, off + ret, off + ret + 1, off, off + can);
		return;
	}
	/* It goes to a server at once, as a whole. */
	check_excuse(f, what, off + ret, off + len, ret ? 0 : err);
	check_whole(f, what, off + ret, off + len, off, off + can);
	set_either(f, off + ret, len - ret, src + ret);
}

static void do_direct(struct file *f, const struct op *o, off_t off, size_t len)
{
	size_t align = o->how >> 8 & 3 ? cfg.block : 512;
	int err, tries = 0;
	ssize_t ret;

	if (f->direct < 0) {
		board->skipped++;
		return;
	}
	off = off / align * align;
	len = (len + align - 1) / align * align;
	if (off + len > cfg.pages * MCE_PAGE)
		len = cfg.pages * MCE_PAGE - off;
	if (!len)
		return;
	if (o->kind == OP_DREAD) {
		/* An error of another page may be told here, once. */
		do {
			memset(buf, 0xee, len);
			ret = pread(f->direct, buf, len, off);
		} while (ret < 0 && errno == EIO && f->ever && ++tries < 3);
		/* netfs has an error for what the server does not know of yet. */
		if (ret < 0 && (errno == EINVAL || (errno == ENODATA && cfg.on == ON_9P)))
			return;
		check_read(f, "dread", buf, off, len, ret, errno, true);
		return;
	}
	resolve(f, off, len);
	meet_before_free(f, off, off + len, false);
	memcpy(f->before, f->state, sizeof(f->before));
	fill(src, o->version, o->file, off, len);
	do {
		ret = pwrite(f->direct, src, len, off);
		err = errno;
	} while (ret < 0 && err == EIO && f->ever && ++tries < 3);
	if (ret < 0 && err == EINVAL)
		return;
	if (ret > 0)
		set_data(f, off, ret, src, true);
	if (ret == (ssize_t)len)
		return;
	accept_size(f, off);
	if (ret < 0)
		ret = 0;
	if (!cfg.large || !flush_excuse(f, off, off + len)) {
		check_excuse(f, "dwrite", off + ret, off + len, ret ? 0 : err);
		check_whole(f, "dwrite", off + ret, off + len, off, off + len);
	}
	set_either(f, off + ret, len - ret, src + ret);
}

struct touch {
	__u8 *to;
	const __u8 *from;
	size_t len;
};

static void touch(void *arg)
{
	struct touch *t = arg;
	size_t i;

	if (t->len % 8 || (unsigned long)t->to % 8 || (unsigned long)t->from % 8) {
		for (i = 0; i < t->len; i++)
			SET(t->to[i], GET(t->from[i]));
		return;
	}
	for (i = 0; i < t->len; i += 8)
		SET(*(__u64 *)(t->to + i), GET(*(const __u64 *)(t->from + i)));
}

static void bad_signal(struct file *f, const char *what, bool fresh, off_t off,
		       const struct mce_sigbus *sb)
{
	char class[128];

	__atomic_add_fetch(&board->errors, 1, __ATOMIC_RELAXED);
	if (suspicious(f, off)) {
		lost_at(f, off, true);
		return;
	}
	snprintf(class, sizeof(class), "%s: SIGBUS for a good page, %s mapping", what,
		 fresh ? "new" : "old");
	found(class, "%s at %#lx of file %u: SIGBUS %s", what, (long)off,
	      (unsigned int)(f - files), mce_codename(sb->code));
}

static void do_load(struct file *f, const char *what, const __u8 *map, off_t off, size_t len)
{
	off_t end = min_off(off + len, f->size), next;
	struct mce_sigbus sb;
	struct touch t;

	for (; off < end; off = next) {
		next = min_off(end, (off / MCE_PAGE + 1) * MCE_PAGE);
		t.to = buf + off % 8;
		t.from = map + off;
		t.len = next - off;
		if (mce_guard(touch, &t, &sb))
			check_data(f, what, t.to, off, next - off);
		else
			bad_signal(f, what, map != f->map, off, &sb);
	}
}

static void do_store(struct file *f, const struct op *o, __u8 *map, off_t off, size_t len)
{
	off_t end = min_off(off + len, f->size), next;
	struct mce_sigbus sb;
	struct touch t;

	resolve(f, off, len);
	for (; off < end; off = next) {
		next = min_off(end, (off / MCE_PAGE + 1) * MCE_PAGE);
		fill(src + off % 8, o->version, o->file, off, next - off);
		t.to = map + off;
		t.from = src + off % 8;
		t.len = next - off;
		/* The fault alone makes it dirty. */
		dirtied(f, unit_of(off));
		if (mce_guard(touch, &t, &sb)) {
			if (f->before[unit_of(off)] == LOST)
				found("store: no SIGBUS in a lost page",
				      "store at %#lx of file %u", (long)off,
				      (unsigned int)(f - files));
			set_data(f, off, next - off, t.from, false);
		} else {
			bad_signal(f, "store", map != f->map, off, &sb);
			set_either(f, off, next - off, t.from);
		}
	}
}

static __u8 *new_map(struct file *f, int flags)
{
	__u8 *map = mmap(NULL, cfg.pages * MCE_PAGE, PROT_READ | PROT_WRITE, flags, f->fd, 0);

	return map == MAP_FAILED ? NULL : map;
}

static void do_mmap(struct file *f, const struct op *o)
{
	bool fresh = !f->map || o->how >> 1 & 1;
	__u8 *map = fresh ? new_map(f, MAP_SHARED) : f->map;

	if (!map) {
		board->skipped++;
		return;
	}
	if (o->kind == OP_LOAD)
		do_load(f, "load", map, o->off, o->len);
	else
		do_store(f, o, map, o->off, o->len);
	if (fresh)
		munmap(map, cfg.pages * MCE_PAGE);
}

static void do_private(struct file *f, const struct op *o)
{
	off_t off = o->off, end = min_off(off + o->len, f->size), next;
	__u8 *map = new_map(f, MAP_PRIVATE);
	struct mce_sigbus sb;
	struct touch t;
	bool there;

	if (!map) {
		board->skipped++;
		return;
	}
	for (; off < end; off = next) {
		next = min_off(end, (off / MCE_PAGE + 1) * MCE_PAGE);
		there = false;
		if (o->how >> 2 & 1) {
			/* A copy is made of the page for this store. */
			fill(src, ~o->version, 3, off, 8);
			t.to = map + off / MCE_PAGE * MCE_PAGE;
			t.from = src;
			t.len = 1;
			there = mce_guard(touch, &t, &sb);
			if (!there) {
				bad_signal(f, "private", true, off, &sb);
				continue;
			}
		}
		if (there && off % MCE_PAGE == 0)
			off++;
		if (off == next)
			continue;
		t.to = buf + off % 8;
		t.from = map + off;
		t.len = next - off;
		if (mce_guard(touch, &t, &sb))
			check_data(f, "private", t.to, off, next - off);
		else
			bad_signal(f, "private", true, off, &sb);
	}
	munmap(map, cfg.pages * MCE_PAGE);
}

/* What it finds is on the board, where its parent looks. */
static void check_in_child(struct file *f, const __u8 *data, off_t off, size_t len)
{
	if (!sigsetjmp(out, 1))
		check_data(f, "fork", data, off, len);
}

/* A child has the mapping too, looks at it, and goes. Its model is a copy. */
static void do_fork(struct file *f, const struct op *o)
{
	off_t off = o->off, end = min_off(off + o->len, f->size), next;
	__u8 told[MAX_PAGES] = { 0 };
	int pipes[2], status;
	struct mce_sigbus sb;
	struct touch t;
	__u8 *map;
	pid_t pid;

	map = f->map ? f->map : new_map(f, MAP_SHARED);
	if (!map || off >= end || pipe2(pipes, O_CLOEXEC)) {
		board->skipped++;
		return;
	}
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (; off < end; off = next) {
			next = min_off(end, (off / MCE_PAGE + 1) * MCE_PAGE);
			t.to = buf + off % 8;
			t.from = map + off;
			t.len = next - off;
			if (mce_guard(touch, &t, &sb))
				check_in_child(f, t.to, off, next - off);
			else
				told[off / MCE_PAGE] = 1;
		}
		_exit(write(pipes[1], told, sizeof(told)) != sizeof(told));
	}
	close(pipes[1]);
	if (read(pipes[0], told, sizeof(told)) != sizeof(told))
		memset(told, 0, sizeof(told));
	close(pipes[0]);
	waitpid(pid, &status, 0);
	if (map != f->map)
		munmap(map, cfg.pages * MCE_PAGE);
	if (board->found)
		siglongjmp(out, 1);
	memset(&sb, 0, sizeof(sb));
	for (; off < end; off = (off / MCE_PAGE + 1) * MCE_PAGE)
		if (told[off / MCE_PAGE])
			bad_signal(f, "fork", map != f->map, off, &sb);
}

static void do_truncate(struct file *f, const struct op *o)
{
	off_t size = min_off(o->off2, cfg.pages * MCE_PAGE), most, from;
	char class[128];
	struct stat st;
	int tries = 0;

	meet_before_free(f, size - size % cfg.unit + (size % cfg.unit ? cfg.unit : 0), MAX_SIZE,
			 true);
	most = f->size > size ? f->size : size;
	/* An error of another page may be told here, once. */
	while (ftruncate(f->fd, size)) {
		if (errno != EIO || !f->ever || ++tries == 3)
			goto failed;
	}
	set_size(f, size);
	return;
failed:
	from = min_off(f->size ? f->size - 1 : 0, size);
	if (!is_told(errno) || (!risky_range(f, from, most) && !(cfg.large && f->ever))) {
		snprintf(class, sizeof(class), "truncate: %s",
			 is_told(errno) ? "error, and all pages are good" : strerror(errno));
		found(class, "truncate of file %u from %#lx to %#lx: %s", o->file, (long)f->size,
		      (long)size, strerror(errno));
	}
	board->errors++;
	/* The error may be of what comes after the file has its new size. */
	if (!fstat(f->fd, &st) && st.st_size == size)
		set_size(f, size);
	else if (size < f->size)
		set_either(f, size, f->size - size, NULL);
}

static bool unsupported(int err)
{
	return err == EOPNOTSUPP || err == EINVAL || err == ENOTTY || err == EXDEV;
}

static void do_cut(struct file *f, const struct op *o)
{
	off_t off = o->off, end = off + o->len, size = f->size;
	int mode = FALLOC_FL_KEEP_SIZE;

	if (o->kind == OP_PUNCH)
		mode |= FALLOC_FL_PUNCH_HOLE;
	else
		mode = FALLOC_FL_ZERO_RANGE | (o->how >> 3 & 1 ? FALLOC_FL_KEEP_SIZE : 0);
	resolve(f, off, o->len);
	/* ext4 drops what is dirty, without writing it out. */
	meet_before_free(f, off, end, !cfg.large);
	memcpy(f->before, f->state, sizeof(f->before));
	if (!fallocate(f->fd, mode, off, o->len)) {
		if (mode & FALLOC_FL_KEEP_SIZE) {
			end = min_off(end, size);
			if (off < end)
				set_data(f, off, end - off, NULL, true);
		} else {
			set_data(f, off, o->len, NULL, true);
		}
		return;
	}
	if (unsupported(errno)) {
		board->skipped++;
		return;
	}
	if (!f->ever)
		check_excuse(f, kinds[o->kind].name, off, end, errno);
	accept_size(f, end);
	set_either_cut(f, off, end - off);
}

static void move_model(struct file *f, off_t from, off_t to, off_t len)
{
	off_t dist = to - from, u;

	memmove(f->val + to, f->val + from, len);
	memmove(f->alt + to, f->alt + from, len);
	memmove(f->two + to, f->two + from, len);
	memmove(f->state + to / (off_t)cfg.unit, f->state + from / (off_t)cfg.unit,
		(len + cfg.unit - 1) / cfg.unit);
	if (dist > 0) {
		memset(f->val + from, 0, dist);
		memset(f->two + from, 0, dist);
		for (u = from / (off_t)cfg.unit; u < to / (off_t)cfg.unit; u++)
			f->state[u] = GOOD;
	}
}

static void do_shift(struct file *f, const struct op *o)
{
	off_t off = o->off / cfg.unit * cfg.unit, end;
	off_t len = (o->len + cfg.unit - 1) / cfg.unit * cfg.unit;
	unsigned int i;
	int mode = o->kind == OP_COLLAPSE ? FALLOC_FL_COLLAPSE_RANGE : FALLOC_FL_INSERT_RANGE;

	if ((mode == FALLOC_FL_COLLAPSE_RANGE && off + len >= f->size) ||
	    (mode == FALLOC_FL_INSERT_RANGE &&
	     (off >= f->size || f->size + len > (off_t)(cfg.pages * MCE_PAGE)))) {
		board->skipped++;
		return;
	}
	resolve(f, off, len);
	meet_before_free(f, off, MAX_SIZE, cfg.keep);
	memcpy(f->before, f->state, sizeof(f->before));
	if (fallocate(f->fd, mode, off, len)) {
		if (unsupported(errno)) {
			board->skipped++;
			return;
		}
		if (!f->ever)
			check_excuse(f, kinds[o->kind].name, off, f->size, errno);
		if (mode == FALLOC_FL_INSERT_RANGE)
			accept_size(f, f->size + len);
		else
			/* xfs makes a hole first. */
			set_either_cut(f, off, len);
		return;
	}
	/* What is poisoned there still is nobody's any more. */
	look_at_latent();
	for (i = 0; i < NR_LATENT; i++) {
		struct latent *l = &latent[i];

		if (!l->used || &files[l->file] != f || l->page * MCE_PAGE < (size_t)off)
			continue;
		if (!l->died)
			hard_offline(l->phys);
		l->used = false;
	}
	if (mode == FALLOC_FL_COLLAPSE_RANGE) {
		move_model(f, off + len, off, f->size - off - len);
		end = f->size - len;
		memset(f->val + end, 0, len);
		memset(f->two + end, 0, len);
		for (i = (end + cfg.unit - 1) / cfg.unit; i < MAX_PAGES; i++)
			f->state[i] = GOOD;
		f->size = end;
	} else {
		move_model(f, off, off + len, f->size - off);
		f->size += len;
	}
}

static void check_source(struct file *f, const char *what, off_t off, size_t len)
{
	char class[128];
	size_t u;

	for (u = unit_of(off); len && u <= unit_of(off + len - 1); u++) {
		if (f->before[u] != LOST || f->state[u] != LOST)
			continue;
		snprintf(class, sizeof(class), "%s: no error for a lost page", what);
		found(class, "%s of %#zx bytes at %#lx of file %u, where unit %#zx is lost",
		      what, len, (long)off, (unsigned int)(f - files), u);
	}
}

/* What was copied is right: the poison of the source was not in its way. */
static void copied(struct file *f, const char *what, off_t off, struct file *g, off_t off2,
		   size_t len)
{
	if (!len)
		return;
	check_source(f, what, off, len);
	memcpy(buf, f->val + off, len);
	set_data(g, off2, len, buf, true);
}

static void do_copy(struct file *f, const struct op *o)
{
	struct file *g = &files[o->file2];
	off_t off = o->off, off2 = o->off2, end;
	size_t len = o->len;
	struct file_clone_range fcr;
	const char *what = kinds[o->kind].name;
	ssize_t ret = 0;
	int err;

	if (off >= f->size || off2 + len > cfg.pages * MCE_PAGE) {
		board->skipped++;
		return;
	}
	len = min_off(len, f->size - off);
	if (o->kind == OP_CLONEALL) {
		off = 0;
		off2 = 0;
		len = f->size;
	} else if (o->kind == OP_CLONE) {
		off = off / cfg.block * cfg.block;
		off2 = off2 / cfg.block * cfg.block;
		len = (len + cfg.block - 1) / cfg.block * cfg.block;
		if (off + (off_t)len > f->size)
			len = f->size - off;
		if (off2 + len > cfg.pages * MCE_PAGE)
			len = 0;
	}
	if (!len || (f == g && off < off2 + (off_t)len && off2 < off + (off_t)len)) {
		board->skipped++;
		return;
	}
	end = off2 + len;
	resolve(f, off, len);
	resolve(g, off2, len);
	meet_before_free(g, off2, end, cfg.keep || o->kind == OP_SENDFILE);
	memcpy(f->before, f->state, sizeof(f->before));
	memcpy(g->before, g->state, sizeof(g->before));
	switch (o->kind) {
	case OP_CLONE:
		fcr.src_fd = f->fd;
		fcr.src_offset = off;
		fcr.src_length = len;
		fcr.dest_offset = off2;
		ret = ioctl(g->fd, FICLONERANGE, &fcr) ? -1 : (ssize_t)len;
		break;
	case OP_CLONEALL:
		ret = ioctl(g->fd, FICLONE, f->fd) ? -1 : (ssize_t)len;
		break;
	case OP_COPY:
		ret = copy_file_range(f->fd, &off, g->fd, &off2, len, 0);
		break;
	case OP_SENDFILE:
		if (lseek(g->fd, off2, SEEK_SET) != off2)
			return;
		ret = sendfile(g->fd, f->fd, &off, len);
		break;
	}
	err = errno;
	if (ret > 0 && (o->kind == OP_COPY || o->kind == OP_SENDFILE)) {
		off -= ret;
		if (o->kind == OP_COPY)
			off2 -= ret;
	}
	if (ret > (ssize_t)len)
		found("copy: more than asked for", "%s: %zd of %zu", what, ret, len);
	if (ret > 0)
		copied(f, what, off, g, off2, ret);
	/* What is shared ends with a block. */
	if (ret == (ssize_t)len || (ret > 0 && o->kind == OP_COPY))
		return;
	if (ret < 0 && unsupported(err)) {
		board->skipped++;
		return;
	}
	if (ret < 0)
		ret = 0;
	accept_size(g, end);
	if (!f->ever && !g->ever)
		check_excuse(g, what, off2, end, ret ? 0 : err);
	else
		board->errors++;
}

static void do_dedupe(struct file *f, const struct op *o)
{
	struct {
		struct file_dedupe_range range;
		struct file_dedupe_range_info info;
	} d = { 0 };
	struct file *g = &files[o->file2];
	off_t off = o->off / cfg.block * cfg.block, off2 = o->off2 / cfg.block * cfg.block;
	size_t len = (o->len + cfg.block - 1) / cfg.block * cfg.block;
	bool same;

	/* The same place, if it is another file: it may be a copy. */
	if (f != g && o->how >> 4 & 1)
		off2 = off;
	if (off + (off_t)len > f->size || off2 + (off_t)len > g->size ||
	    (f == g && off < off2 + (off_t)len && off2 < off + (off_t)len)) {
		board->skipped++;
		return;
	}
	resolve(f, off, len);
	resolve(g, off2, len);
	memcpy(f->before, f->state, sizeof(f->before));
	memcpy(g->before, g->state, sizeof(g->before));
	d.range.src_offset = off;
	d.range.src_length = len;
	d.range.dest_count = 1;
	d.info.dest_fd = g->fd;
	d.info.dest_offset = off2;
	if (ioctl(f->fd, FIDEDUPERANGE, &d) || d.info.status < 0) {
		int err = d.info.status < 0 ? -d.info.status : errno;

		if (unsupported(err))
			board->skipped++;
		else if (!f->ever && !g->ever)
			check_excuse(g, "dedupe", off2, off2 + len, err);
		else
			board->errors++;
		return;
	}
	same = d.info.status == FILE_DEDUPE_RANGE_SAME;
	check_source(f, "dedupe", off, same ? d.info.bytes_deduped : 1);
	check_source(g, "dedupe", off2, same ? d.info.bytes_deduped : 1);
	if (same && memcmp(f->val + off, g->val + off2, d.info.bytes_deduped))
		found("dedupe: not the same", "dedupe %#lx of file %u, %#lx of file %u: same",
		      (long)off, o->file, (long)off2, o->file2);
	if (!same && !memcmp(f->val + off, g->val + off2, len))
		found("dedupe: the same", "dedupe %#lx of file %u, %#lx of file %u: differs",
		      (long)off, o->file, (long)off2, o->file2);
}

/* What is in [from, to) is a hole, says lseek(2). */
static void check_hole(struct file *f, off_t from, off_t to)
{
	char class[64];
	off_t i;

	to = min_off(to, f->size);
	for (i = from; i < to; i++) {
		bool lost = f->before[unit_of(i)] == LOST && f->state[unit_of(i)] == LOST;

		if (!lost && (!f->val[i] || f->two[i]))
			continue;
		snprintf(class, sizeof(class), "seek: a %s page is a hole",
			 lost ? "lost" : state_names[f->state[unit_of(i)]]);
		found(class, "SEEK_DATA/HOLE: %#lx-%#lx of file %u is a hole; at %#lx is data",
		      (long)from, (long)to, (unsigned int)(f - files), (long)i);
	}
}

static void do_seek(struct file *f)
{
	off_t pos = 0, data, hole;

	while (pos < f->size) {
		data = lseek(f->fd, pos, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			data = f->size;
		if (data < 0) {
			check_excuse(f, "seek", 0, f->size, errno);
			return;
		}
		check_hole(f, pos, data);
		if (data >= f->size)
			break;
		hole = lseek(f->fd, data, SEEK_HOLE);
		if (hole < 0) {
			check_excuse(f, "seek", 0, f->size, errno);
			return;
		}
		/* In a page with unwritten blocks the two do not agree, poison or not. */
		if (hole <= data && cfg.block < MCE_PAGE)
			hole = data + cfg.block;
		if (hole <= data)
			found("seek: no progress", "SEEK_HOLE from %#lx: %#lx", (long)data,
			      (long)hole);
		pos = hole;
	}
}

/* An error is told for what was lost, not for ever. */
static void do_sync(struct file *f, const struct op *o)
{
	const char *what = kinds[o->kind].name;
	char class[64];
	int i, ret = -1, fd = some_fd(f, o);

	for (i = 0; i < 20 && ret; i++) {
		/* As long as the page is not out of use, it is met again. */
		if (i > 3)
			usleep(20000 * i);
		if (o->kind == OP_FSYNC)
			ret = fsync(fd);
		else if (o->kind == OP_FDATASYNC)
			ret = fdatasync(fd);
		else
			ret = sync_file_range(fd, o->off, o->len, o->how >> 2 & 7);
		if (!ret)
			break;
		__atomic_add_fetch(&board->errors, 1, __ATOMIC_RELAXED);
		if (!is_told(errno) || !f->ever) {
			snprintf(class, sizeof(class), "%s: errno %d%s", what, errno,
				 f->ever ? "" : ", and all pages are good");
			found(class, "%s of file %u: %s", what, o->file, strerror(errno));
		}
		if (!(o->how >> 5 & 3) || !(cfg.enabled & BIT(OP_FOREVER)))
			return;
	}
	if (ret) {
		snprintf(class, sizeof(class), "%s: an error for ever", what);
		found(class, "%s of file %u fails again and again", what, o->file);
	}
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static const char *path_of(struct file *f)
{
	static char path[PATH_MAX + 4];

	snprintf(path, sizeof(path), "%s%s", f->path, f->renamed ? "-r" : "");
	return path;
}

static void open_all(struct file *f)
{
	f->fd = open(path_of(f), O_RDWR | O_CLOEXEC);
	if (f->fd < 0)
		found("open", "open %s: %s", path_of(f), strerror(errno));
	f->direct = cfg.enabled & (BIT(OP_DREAD) | BIT(OP_DWRITE)) ?
		open(path_of(f), O_RDWR | O_DIRECT | O_CLOEXEC) : -1;
}

static void do_reopen(struct file *f, const struct op *o)
{
	bool mapped = f->map;

	meet_before_free(f, 0, MAX_SIZE, false);
	if (mapped)
		munmap(f->map, cfg.pages * MCE_PAGE);
	f->map = NULL;
	close_fd(&f->fd);
	close_fd(&f->fd2);
	close_fd(&f->direct);
	if (o->how >> 2 & 1) {
		if (o->how >> 3 & 1)
			sync();
		forget_clean();
	}
	open_all(f);
	if ((!mapped || o->how >> 4 & 1) && cfg.enabled & BIT(OP_OLDMAP))
		f->map = new_map(f, MAP_SHARED);
}

static void do_open(struct file *f, const struct op *o)
{
	/* FUSE drops what it has cached. */
	if (cfg.on != ON_DIR)
		meet_before_free(f, 0, MAX_SIZE, true);
	close_fd(&f->fd2);
	if (o->how & 1)
		return;
	f->fd2 = open(path_of(f), O_RDWR | O_CLOEXEC);
	if (f->fd2 < 0)
		found("open", "open %s: %s", path_of(f), strerror(errno));
}

static void do_rename(struct file *f)
{
	char old[PATH_MAX + 4];

	snprintf(old, sizeof(old), "%s", path_of(f));
	f->renamed = !f->renamed;
	if (rename(old, path_of(f)))
		found("rename", "rename: %s", strerror(errno));
}

/* A pipe has a page to itself; only a file on a disk can be asked again. */
static bool pipe_excuse(struct file *f, off_t off)
{
	return suspicious(f, off) || (cfg.on != ON_DIR && pending(f, unit_of(off)));
}

/* To a pipe, and from there to memory, or to the other file. */
static void do_splice(struct file *f, const struct op *o)
{
	size_t len = min_off(o->len, 60000), got = 0;
	off_t off = o->off, start = off;
	ssize_t n, ret;
	int pipes[2], err;
	char class[64];

	if (off >= f->size || pipe2(pipes, O_CLOEXEC | O_NONBLOCK)) {
		board->skipped++;
		return;
	}
	n = splice(f->fd, &off, pipes[1], NULL, len, 0);
	err = errno;
	if (n < 0 && is_told(err) && suspicious(f, start)) {
		lost_at(f, start, false);
		board->errors++;
	} else if (n <= 0) {
		snprintf(class, sizeof(class), "splice: %s", n ? strerror(err) : "nothing");
		close(pipes[0]);
		close(pipes[1]);
		found(class, "splice of %#zx bytes at %#lx of file %u: %s", len, (long)start,
		      o->file, n ? strerror(err) : "nothing");
	}
	while (n > 0 && got < (size_t)n) {
		ret = read(pipes[0], buf, n - got);
		if (ret < 0) {
			err = errno;
			/* The error takes the place of one buffer, whose length is not told. */
			if (is_told(err) && pipe_excuse(f, start + got))
				board->errors++;
			else
				n = -1;
			break;
		}
		if (!ret)
			break;
		check_data(f, "splice", buf, start + got, ret);
		got += ret;
	}
	close(pipes[0]);
	close(pipes[1]);
	if (n < 0 && got == 0 && !is_told(err))
		found("splice: errno from the pipe", "%s", strerror(err));
	if (n < 0 && is_told(err) && !pipe_excuse(f, start + got))
		found("splice: error of a good page", "read of the pipe after %#zx bytes: %s", got,
		      strerror(err));
}

/* All of it, from the cache or, @how, from the disk. */
static void do_check(struct file *f, const struct op *o)
{
	off_t off;

	if (o->how >> 1 & 1) {
		meet_before_free(f, 0, MAX_SIZE, false);
		posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED);
	}
	for (off = 0; off < f->size; off += cfg.unit)
		do_read(f, "read", some_fd(f, o), off, min_off(cfg.unit, f->size - off));
	do_read(f, "read", f->fd, f->size, 1);
}

static void do_arm(struct file *f, const struct op *o)
{
	off_t off = o->off / MCE_PAGE * MCE_PAGE;
	unsigned int i, tries;
	struct latent *l = NULL;
	__u8 *map;
	__u64 phys, flags;

	for (i = 0; i < NR_LATENT; i++) {
		if (!latent[i].used && !l)
			l = &latent[i];
		/* One at a time in what is lost at once. */
		if (latent[i].used && latent[i].file == o->file &&
		    latent[i].page * MCE_PAGE / cfg.unit == unit_of(off))
			off = MAX_SIZE;
	}
	if (!l || off >= f->size || f->state[unit_of(off)] != GOOD || !cfg.poison) {
		board->skipped++;
		return;
	}
	if (o->how & 1)
		do_write(f, o, f->fd, off, MCE_PAGE);
	map = mmap(NULL, MCE_PAGE, PROT_READ, MAP_SHARED, f->fd, off);
	if (map == MAP_FAILED)
		return;
	for (tries = 0; tries < 20; tries++) {
		if (!madvise(map, MCE_PAGE, MADV_POPULATE_READ) && !mce_phys(map, &phys))
			break;
		usleep(1000);
	}
	if (tries == 20) {
		munmap(map, MCE_PAGE);
		found("arm: a good page cannot be mapped", "arm %#lx of file %u", (long)off,
		      o->file);
	}
	flags = page_flags(phys);
	if (cfg.keep && !is_dirty(flags)) {
		/* A hole: it is read again, in a way. */
		munmap(map, MCE_PAGE);
		board->skipped++;
		return;
	}
	l->file = o->file;
	l->page = off / MCE_PAGE;
	l->phys = phys + (o->how >> 8 & 63) * MCE_LINE;
	l->age = 0;
	l->died = 0;
	l->clean = !is_dirty(flags) && !cfg.keep;
	l->used = true;
	if (!l->clean)
		doubt(f, unit_of(off));
	board->armed++;
	if (mce_arm_phys(l->phys))
		l->used = false;
	munmap(map, MCE_PAGE);
}

/* As if a scrubber had found it. */
static void do_offline(void)
{
	unsigned int i;

	for (i = 0; i < NR_LATENT; i++)
		if (latent[i].used && !latent[i].died)
			hard_offline(latent[i].phys);
}

/* --- one operation after the other ------------------------------------------ */

static void touch_units(struct file *f, off_t from, off_t to)
{
	size_t u;

	for (u = from < 0 ? 0 : unit_of(from); u < MAX_PAGES && (off_t)(u * cfg.unit) < to; u++)
		f->touched[u] = serial;
}

/* What the reader must not judge: it changes. */
static void announce(const struct op *o)
{
	struct file *f = &files[o->file], *g = &files[o->file2];

	serial++;
	switch (o->kind) {
	case OP_READ:
	case OP_READV:
	case OP_LOAD:
	case OP_FSYNC:
	case OP_FDATASYNC:
	case OP_SYNCRANGE:
	case OP_SEEK:
	case OP_OFFLINE:
	case OP_CHECK:
	case OP_SPLICE:
	case OP_FORK:
		break;
	case OP_WRITE:
	case OP_FAULTING:
	case OP_BADSRC:
	case OP_STORE:
		touch_units(f, min_off(o->off, f->size), o->off + o->len + cfg.unit);
		break;
	case OP_COPY:
	case OP_CLONE:
	case OP_SENDFILE:
		touch_units(g, 0, MAX_SIZE);
		break;
	default:
		touch_units(f, 0, MAX_SIZE);
		touch_units(g, 0, MAX_SIZE);
	}
}

static void tell(char *text, size_t len, const struct op *o)
{
	int n = snprintf(text, len, "#%u %s file %u %#lx+%#zx", o->version, kinds[o->kind].name,
			 o->file, (long)o->off, o->len);

	switch (o->kind) {
	case OP_CLONE:
	case OP_CLONEALL:
	case OP_COPY:
	case OP_SENDFILE:
	case OP_DEDUPE:
		n += snprintf(text + n, len - n, " to file %u %#lx", o->file2, (long)o->off2);
		break;
	case OP_TRUNCATE:
		n += snprintf(text + n, len - n, " to %#lx", (long)o->off2);
		break;
	}
	snprintf(text + n, len - n, " (%x)", o->how);
}

static void execute(const struct op *o)
{
	struct file *f = &files[o->file];
	unsigned int i;

	switch (o->kind) {
	case OP_READ:
		do_read(f, "read", some_fd(f, o), o->off, o->len);
		break;
	case OP_READV: {
		size_t one = o->len / 3;
		struct iovec iov[2] = { { buf, one }, { buf + one, o->len - one } };
		ssize_t ret = preadv(some_fd(f, o), iov, 2, o->off);

		check_read(f, "readv", buf, o->off, o->len, ret, errno, false);
		break;
	}
	case OP_WRITE:
	case OP_FAULTING:
	case OP_BADSRC:
		resolve(f, o->off, o->len);
		do_write(f, o, some_fd(f, o), o->off, o->len);
		break;
	case OP_DREAD:
	case OP_DWRITE:
		do_direct(f, o, o->off, o->len);
		break;
	case OP_LOAD:
	case OP_STORE:
		do_mmap(f, o);
		break;
	case OP_PRIVATE:
		do_private(f, o);
		break;
	case OP_FORK:
		do_fork(f, o);
		break;
	case OP_TRUNCATE:
		do_truncate(f, o);
		break;
	case OP_PUNCH:
	case OP_ZERO:
		do_cut(f, o);
		break;
	case OP_COLLAPSE:
	case OP_INSERT:
		do_shift(f, o);
		break;
	case OP_CLONE:
	case OP_CLONEALL:
	case OP_COPY:
	case OP_SENDFILE:
		do_copy(f, o);
		break;
	case OP_DEDUPE:
		do_dedupe(f, o);
		break;
	case OP_SEEK:
		do_seek(f);
		break;
	case OP_FSYNC:
	case OP_FDATASYNC:
	case OP_SYNCRANGE:
		do_sync(f, o);
		break;
	case OP_DONTNEED:
		meet_before_free(f, 0, MAX_SIZE, false);
		posix_fadvise(f->fd, o->how & 2 ? 0 : o->off, o->how & 2 ? 0 : o->len,
			      POSIX_FADV_DONTNEED);
		break;
	case OP_DROP:
		for (i = 0; i < nr_files; i++)
			meet_before_free(&files[i], 0, MAX_SIZE, false);
		if (o->how & 1)
			sync();
		forget_clean();
		break;
	case OP_REOPEN:
		do_reopen(f, o);
		break;
	case OP_OPEN:
		do_open(f, o);
		break;
	case OP_RENAME:
		do_rename(f);
		break;
	case OP_SPLICE:
		do_splice(f, o);
		break;
	case OP_CHECK:
		do_check(f, o);
		break;
	case OP_ARM:
		do_arm(f, o);
		break;
	case OP_OFFLINE:
		do_offline();
		break;
	}
}

/* A reader beside it: what it sees of a page that nobody changes must be right. */
static bool reader_stop;

static void *reader(void *arg)
{
	static __u8 page[MCE_PAGE];
	__u64 dice = *(__u64 *)arg, began;
	struct file *f;
	ssize_t ret;
	size_t len, u;
	off_t off;
	int err, fd;

	while (!GET(reader_stop)) {
		dice = mix(dice + 1);
		take();
		f = &files[dice % nr_files];
		fd = dup(f->fd);
		began = serial;
		off = f->size ? (dice >> 8) % f->size : 0;
		u = unit_of(off);
		len = min_off(1 + (dice >> 40) % MCE_PAGE, (off / MCE_PAGE + 1) * MCE_PAGE - off);
		len = min_off(len, f->size - off);
		/* Under way, or not? */
		if (fd < 0 || !len || f->touched[u] == serial)
			fd = (fd >= 0 ? close(fd) : 0, -1);
		give();
		if (fd < 0) {
			usleep(1000);
			continue;
		}
		ret = pread(fd, page, len, off);
		err = errno;
		close(fd);
		take();
		if (f->touched[u] <= began && f->state[u] != MAYBE && off + (off_t)len <= f->size &&
		    !board->found) {
			if (ret == (ssize_t)len && f->state[u] == GOOD)
				check_data(f, "reader", page, off, len);
			else if (ret >= 0 && f->state[u] == GOOD)
				check_read(f, "reader", page, off, len, ret, err, false);
			else if (ret < 0 && f->state[u] == GOOD)
				check_read(f, "reader", page, off, len, ret, err, false);
		}
		give();
		usleep(500);
	}
	return NULL;
}

/* --- a run ------------------------------------------------------------------- */

/* Before there is data in it */
static int set_journal(int fd)
{
	int flags;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags))
		return -1;
	flags |= FS_JOURNAL_DATA_FL;
	return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static int set_up(void)
{
	unsigned int i;

	nr_files = cfg.on == ON_DIR ? NFILES : 1;
	memset(latent, 0, sizeof(latent));
	if (cfg.on == ON_FUSE || cfg.on == ON_FUSE_WB) {
		memset(&fuse, 0, sizeof(fuse));
		fuse.flags = cfg.on == ON_FUSE_WB ? FUSE_WRITEBACK_CACHE : 0;
		if (fuse_start(&fuse))
			return -1;
	} else if (cfg.on == ON_9P && p9_start(&p9)) {
		return -1;
	}
	for (i = 0; i < nr_files; i++) {
		struct file *f = &files[i];
		int fd;

		memset(f, 0, sizeof(*f));
		f->fd = -1;
		f->fd2 = -1;
		f->direct = -1;
		if (cfg.on == ON_DIR)
			snprintf(f->path, sizeof(f->path), "%s/mce-fsx-%d-%u", cfg.dir,
				 getpid(), i);
		else
			snprintf(f->path, sizeof(f->path), "%s",
				 cfg.on == ON_9P ? p9.path : fuse.path);
		fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0 || (cfg.journal && set_journal(fd)))
			return -1;
		f->size = (cfg.pages * 3 / 4 - i * 2) * MCE_PAGE + i * 777;
		fill(f->val, 0, i, 0, f->size);
		if (pwrite(fd, f->val, f->size, 0) != f->size || fsync(fd))
			return -1;
		close(fd);
		open_all(f);
		if (cfg.enabled & BIT(OP_OLDMAP))
			f->map = new_map(f, MAP_SHARED);
	}
	return 0;
}

static void tear_down(void)
{
	unsigned int i;

	do_offline();
	mce_retire();
	for (i = 0; i < nr_files; i++) {
		struct file *f = &files[i];

		if (f->map)
			munmap(f->map, cfg.pages * MCE_PAGE);
		f->map = NULL;
		close_fd(&f->fd);
		close_fd(&f->fd2);
		close_fd(&f->direct);
		if (cfg.on == ON_DIR)
			unlink(path_of(f));
	}
	if (cfg.on == ON_FUSE || cfg.on == ON_FUSE_WB)
		fuse_stop(&fuse);
	else if (cfg.on == ON_9P)
		p9_stop(&p9);
}

/* Returns true if nothing was found; @at tells where otherwise. */
static bool run(const struct op *ops, unsigned int n, __u64 seed)
{
	static struct op last[2 * NFILES];
	static struct mce_watch w;
	static bool threaded;
	pthread_t thread;
	unsigned int i;

	threaded = false;
	memset(board->text, 0, sizeof(board->text));
	board->found = false;
	main_thread = pthread_self();
	at = 0;
	mce_watch_start(&w);
	if (!sigsetjmp(out, 1)) {
		if (set_up())
			found("set-up", "cannot set up: %s", strerror(errno));
		if (cfg.reader) {
			reader_stop = false;
			threaded = !pthread_create(&thread, NULL, reader, &seed);
		}
		for (at = 0; at < n; at++) {
			tell(board->now, sizeof(board->now), &ops[at]);
			if (cfg.verbose)
				printf("# %s\n", board->now);
			take();
			for (i = 0; i < nr_files; i++)
				memcpy(files[i].before, files[i].state, MAX_PAGES);
			announce(&ops[at]);
			if (threaded)
				give();
			execute(&ops[at]);
			if (threaded)
				take();
			look_at_latent();
			serial++;
			check_size(&files[ops[at].file], kinds[ops[at].kind].name);
			check_size(&files[ops[at].file2], kinds[ops[at].kind].name);
			give();
			board->by_kind[ops[at].kind]++;
			for (i = 0; i < NR_LATENT; i++)
				if (latent[i].used && !latent[i].died && latent[i].age > LATENT_OPS)
					meet_before_free(&files[latent[i].file],
							 latent[i].page * MCE_PAGE,
							 (latent[i].page + 1) * MCE_PAGE, true);
			__atomic_add_fetch(&board->done, 1, __ATOMIC_SEQ_CST);
			if (board->found)
				siglongjmp(out, 1);
		}
		/* In the end, all from the cache and from the disk. */
		for (i = 0; i < 2 * nr_files; i++) {
			last[i] = (struct op) { .kind = OP_CHECK, .file = i % nr_files,
						.how = i / nr_files * 2 };
			memcpy(files[i % nr_files].before, files[i % nr_files].state, MAX_PAGES);
			snprintf(board->now, sizeof(board->now), "the last look");
			take();
			touch_units(&files[i % nr_files], 0, MAX_SIZE);
			execute(&last[i]);
			give();
			look_at_latent();
		}
		meet_all();
	}
	give();
	reader_stop = true;
	if (threaded)
		pthread_join(thread, NULL);
	snprintf(board->now, sizeof(board->now), "the end");
	tear_down();
	mce_watch_log(&w);
	if (w.log[0] && !board->found) {
		board->found = true;
		snprintf(board->class, sizeof(board->class), "kernel log: %.60s", w.log);
		snprintf(board->text, sizeof(board->text), "the kernel says: %s", w.log);
	}
	return !board->found;
}

/* --- the sequence -------------------------------------------------------------- */

static __u64 dice_state;

static unsigned int dice(unsigned int sides)
{
	dice_state += ODD;
	return mix(dice_state) % sides;
}

/* Near what was armed last, most of the time. */
static off_t some_offset(const struct op *focus, unsigned int file)
{
	off_t page = dice(cfg.pages);

	if (focus && focus->file == file && dice(10) < 6)
		page = focus->off / MCE_PAGE;
	return page * MCE_PAGE;
}

static void some_range(struct op *o, const struct op *focus)
{
	size_t max = cfg.pages * MCE_PAGE;

	o->off = some_offset(focus, o->file);
	switch (dice(8)) {
	case 0 ... 1:
		o->len = MCE_PAGE;
		break;
	case 2:
		o->off = o->off / cfg.unit * cfg.unit;
		o->len = cfg.unit * (1 + dice(2));
		break;
	case 3:
		if (o->off >= (off_t)MCE_PAGE)
			o->off -= MCE_PAGE;
		o->len = MCE_PAGE * (2 + dice(3));
		break;
	case 4 ... 5:
		o->off += dice(MCE_PAGE - 64);
		o->len = 1 + dice(dice(2) ? 64 : 2000);
		break;
	case 6:
		o->off += dice(MCE_PAGE);
		o->len = 1 + dice(3 * MCE_PAGE);
		break;
	case 7:
		o->off = dice(max - 1);
		o->len = 1 + dice(max / 2);
		break;
	}
	if (o->off + o->len > max)
		o->len = max - o->off;
}

static void some_op(struct op *o, unsigned int number, unsigned int total, const struct op *focus)
{
	unsigned int n, i;

	memset(o, 0, sizeof(*o));
	n = dice(total);
	for (i = 0; i < NR_KINDS; i++) {
		if (!(cfg.enabled & BIT(i)))
			continue;
		if (n < kinds[i].weight)
			break;
		n -= kinds[i].weight;
	}
	o->kind = i;
	o->version = number;
	o->how = dice(1U << 31);
	o->file = nr_files > 1 ? dice(10) < 3 : 0;
	if (focus && dice(2))
		o->file = focus->file;
	o->file2 = nr_files > 1 ? (dice(4) ? !o->file : o->file) : 0;
	some_range(o, focus);
	o->off2 = some_offset(focus, o->file2);
	if (o->kind == OP_TRUNCATE && dice(2))
		o->off2 += dice(MCE_PAGE);
	/* Copies that have the same place in a block can share it. */
	if (o->kind == OP_COPY && dice(2)) {
		o->off -= o->off % MCE_PAGE;
		o->len += MCE_PAGE - o->len % MCE_PAGE;
	} else if (dice(4) == 0 && o->kind != OP_TRUNCATE) {
		o->off2 += dice(MCE_PAGE);
	}
	if (o->off + o->len > cfg.pages * MCE_PAGE)
		o->len = cfg.pages * MCE_PAGE - o->off;
}

static void make_ops(struct op *ops, unsigned int n, __u64 seed)
{
	unsigned int i, total = 0;
	int focus = -1;

	dice_state = mix(seed + 1);
	for (i = 0; i < NR_KINDS; i++)
		if (cfg.enabled & BIT(i))
			total += kinds[i].weight;
	for (i = 0; i < n; i++) {
		some_op(&ops[i], i + 1, total, focus >= 0 ? &ops[focus] : NULL);
		if (ops[i].kind == OP_ARM)
			focus = i;
	}
}

/* Which operations are needed? Halves, quarters, and so on are left out. */
static unsigned int shrink(struct op *ops, unsigned int n, __u64 seed, unsigned int *runs)
{
	__u64 end = now_ns() + cfg.shrink * 1000000000ULL;
	struct op *less = malloc(n * sizeof(*ops));
	unsigned int chunk, from, m;
	char class[128];
	bool did;

	snprintf(class, sizeof(class), "%s", board->class);
	for (chunk = (n + 1) / 2; less && chunk; chunk = did && chunk == 1 ? 1 : chunk / 2) {
		did = false;
		for (from = 0; from < n; ) {
			if (now_ns() > end)
				goto out;
			m = from + chunk > n ? n - from : chunk;
			if (m == n)
				break;
			memcpy(less, ops, from * sizeof(*ops));
			memcpy(less + from, ops + from + m, (n - from - m) * sizeof(*ops));
			(*runs)++;
			if (!run(less, n - m, seed) && !strcmp(class, board->class)) {
				n -= m;
				/* It may be found earlier now. */
				if (at + 1 < n)
					n = at + 1;
				memcpy(ops, less, n * sizeof(*ops));
				did = true;
			} else {
				from += m;
			}
		}
	}
out:
	free(less);
	return n;
}

static void tell_ops(const struct op *ops, unsigned int from, unsigned int to)
{
	char text[256];

	for (; from < to; from++) {
		tell(text, sizeof(text), &ops[from]);
		printf("#   %s\n", text);
	}
}

/* In the child: 0 if nothing was found. */
static int run_seed(__u64 seed, unsigned int n)
{
	struct op *ops = malloc(n * sizeof(*ops));
	char class[128], text[1024];
	unsigned int m, runs = 0;

	if (!ops)
		return 2;
	nr_files = cfg.on == ON_DIR ? NFILES : 1;
	make_ops(ops, n, seed);
	for (m = 0; m < cfg.nr_keep && cfg.keep_op[m] && cfg.keep_op[m] <= n; m++)
		ops[m] = ops[cfg.keep_op[m] - 1];
	n = m ? m : n;
	if (run(ops, n, seed))
		return 0;
	snprintf(class, sizeof(class), "%s", board->class);
	snprintf(text, sizeof(text), "%s", board->text);
	printf("# FINDING seed %llu, operation %u: %s\n#  %s\n", (unsigned long long)seed, at + 1,
	       class, text);
	m = at < n ? at + 1 : n;
	if (cfg.shrink && !cfg.reader && strncmp(class, "kernel log", 10)) {
		if (run(ops, m, seed) || strcmp(class, board->class)) {
			printf("#  not found again; the last operations:\n");
			tell_ops(ops, m > 12 ? m - 12 : 0, m);
		} else {
			m = shrink(ops, m, seed, &runs);
			printf("#  %u operations are enough (%u runs):\n", m, runs);
			tell_ops(ops, m > 30 ? m - 30 : 0, m);
		}
	} else {
		printf("#  the last operations:\n");
		tell_ops(ops, m > 12 ? m - 12 : 0, m);
	}
	fflush(stdout);
	snprintf(board->class, sizeof(board->class), "%s", class);
	snprintf(board->text, sizeof(board->text), "%s", text);
	free(ops);
	return 1;
}

static void tell_file(const char *path)
{
	char text[1024];
	FILE *file = fopen(path, "re");

	while (file && fgets(text, sizeof(text), file))
		printf("#   %s%s", text, strchr(text, '\n') ? "" : "\n");
	if (file)
		fclose(file);
}

static int set_up_memory(void)
{
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	files = mmap(NULL, NFILES * sizeof(*files), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	buf = mmap(NULL, MAX_SIZE + MCE_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	src = mmap(NULL, MAX_SIZE + MCE_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	edge = mmap(NULL, MAX_SIZE + MCE_PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (board == MAP_FAILED || files == MAP_FAILED || buf == MAP_FAILED ||
	    src == MAP_FAILED || edge == MAP_FAILED)
		return -1;
	edge += MAX_SIZE;
	if (mprotect(edge, MCE_PAGE, PROT_NONE))
		return -1;
	kpf = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	return kpf < 0 ? -1 : 0;
}

/* A seed in a process of its own, which is watched. 0: nothing found. */
static int watch_seed(__u64 seed, unsigned int n)
{
	unsigned long done = 0;
	time_t moved = time(NULL);
	char path[64];
	int status;
	pid_t pid;

	memset(board, 0, sizeof(*board));
	fflush(stdout);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		exit(run_seed(seed, n));
	}
	while (!waitpid(pid, &status, WNOHANG)) {
		usleep(20000);
		if (board->done != done) {
			done = board->done;
			moved = time(NULL);
		}
		if (time(NULL) - moved < HANG_SECONDS)
			continue;
		printf("# FINDING seed %llu: hangs in %s\n", (unsigned long long)seed, board->now);
		snprintf(path, sizeof(path), "/proc/%d/stack", pid);
		tell_file(path);
		snprintf(path, sizeof(path), "/proc/%d/wchan", pid);
		tell_file(path);
		fflush(stdout);
		snprintf(board->class, sizeof(board->class), "hang");
		kill(pid, SIGKILL);
		usleep(500000);
		waitpid(pid, &status, WNOHANG);
		return 1;
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	printf("# FINDING seed %llu: died of signal %d in %s\n", (unsigned long long)seed,
	       WTERMSIG(status), board->now);
	snprintf(board->class, sizeof(board->class), "died of signal %d", WTERMSIG(status));
	return 1;
}

/* --- what to do ------------------------------------------------------------- */

static __u64 op_list(const char *list)
{
	char all[512], *save = NULL, *p;
	__u64 set = 0;
	unsigned int i;

	snprintf(all, sizeof(all), "%s", list);
	for (p = strtok_r(all, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		for (i = 0; i < NR_KINDS; i++)
			if (!strcmp(p, kinds[i].name))
				break;
		if (i == NR_KINDS) {
			for (i = 0; i < NR_KINDS; i++)
				printf("%s%s", i ? "," : "# operations: ", kinds[i].name);
			printf("\n");
			exit(2);
		}
		set |= BIT(i);
	}
	return set;
}

static unsigned int nr_seeds = 1;

static int keep_ops(const char *list)
{
	char *end;

	for (cfg.nr_keep = 0; *list && cfg.nr_keep < ARRAY_SIZE(cfg.keep_op); list = end + !!*end) {
		cfg.keep_op[cfg.nr_keep++] = strtoul(list, &end, 10);
		if (end == list)
			return -1;
	}
	return 0;
}

static int one_option(const char *arg)
{
	if (!strncmp(arg, "--without=", 10))
		cfg.enabled &= ~op_list(arg + 10);
	else if (!strncmp(arg, "--only=", 7))
		cfg.enabled = op_list(arg + 7) | BIT(OP_OLDMAP) | BIT(OP_FOREVER);
	else if (!strncmp(arg, "--seeds=", 8))
		nr_seeds = atoi(arg + 8);
	else if (!strncmp(arg, "--unit=", 7))
		cfg.unit = atoi(arg + 7);
	else if (!strncmp(arg, "--pages=", 8))
		cfg.pages = atoi(arg + 8);
	else if (!strncmp(arg, "--shrink=", 9))
		cfg.shrink = atoi(arg + 9);
	else if (!strncmp(arg, "--keep=", 7))
		return keep_ops(arg + 7);
	else if (!strcmp(arg, "--no-poison"))
		cfg.poison = false;
	else if (!strcmp(arg, "--reader"))
		cfg.reader = true;
	else if (!strcmp(arg, "--verbose"))
		cfg.verbose = true;
	else if (!strcmp(arg, "--journal"))
		cfg.journal = true;
	else if (!strncmp(arg, "--remount=", 10))
		return mount(NULL, cfg.dir, NULL, MS_REMOUNT, arg + 10);
	else
		return -1;
	return 0;
}

static int options(const char *list)
{
	char all[512], *save = NULL, *p;

	snprintf(all, sizeof(all), "%s", list ? list : "");
	for (p = strtok_r(all, " +", &save); p; p = strtok_r(NULL, " +", &save))
		if (one_option(p)) {
			printf("# cannot do %s\n", p);
			return -1;
		}
	return 0;
}

/* What a directory, or one of the names for those made here, can do. */
static int configure(const char *dir)
{
	const __u64 on_disk = BIT(OP_PUNCH) | BIT(OP_ZERO) | BIT(OP_COLLAPSE) | BIT(OP_INSERT) |
			      BIT(OP_CLONE) | BIT(OP_CLONEALL) | BIT(OP_COPY) | BIT(OP_DEDUPE) |
			      BIT(OP_SEEK) | BIT(OP_RENAME) | BIT(OP_SENDFILE);
	struct statfs fs;

	memset(&cfg, 0, sizeof(cfg));
	cfg.enabled = BIT(NR_KINDS) - 1;
	cfg.poison = true;
	cfg.shrink = 20;
	cfg.unit = MCE_PAGE;
	cfg.block = MCE_PAGE;
	cfg.pages = 24;
	snprintf(cfg.dir, sizeof(cfg.dir), "%s", dir);
	if (!strncmp(dir, "fuse", 4)) {
		cfg.on = strcmp(dir, "fuse-wb") ? ON_FUSE : ON_FUSE_WB;
		cfg.enabled &= ~on_disk;
		/* fuse_write_end() puts zeroes behind a short copy, poison or not. */
		if (cfg.on == ON_FUSE_WB)
			cfg.enabled &= ~(BIT(OP_FAULTING) | BIT(OP_BADSRC));
		return 0;
	}
	if (!strcmp(dir, "9p")) {
		cfg.on = ON_9P;
		/* A store makes netfs_page_mkwrite() warn, poison or not. */
		cfg.enabled &= ~(on_disk | BIT(OP_STORE));
		return 0;
	}
	if (statfs(dir, &fs))
		return -1;
	cfg.keep = fs.f_type == MCE_FS_TMPFS;
	cfg.large = fs.f_type == MCE_FS_XFS;
	cfg.ext4 = fs.f_type == MCE_FS_EXT4;
	if (fs.f_bsize > (long)MCE_PAGE && fs.f_bsize <= 65536 && !cfg.keep) {
		cfg.unit = fs.f_bsize;
		cfg.block = fs.f_bsize;
		cfg.pages = 8 * cfg.unit / MCE_PAGE;
	} else if (!cfg.keep) {
		cfg.block = fs.f_bsize;
	}
	return 0;
}

/* Known classes of what was found with several seeds. */
static char classes[64][128];
static unsigned int class_count[64], nr_classes;

static void count_class(const char *class)
{
	unsigned int i;

	for (i = 0; i < nr_classes && strcmp(classes[i], class); i++)
		;
	if (i == ARRAY_SIZE(classes))
		return;
	if (i == nr_classes)
		snprintf(classes[nr_classes++], sizeof(classes[0]), "%s", class);
	class_count[i]++;
}

static int all_seeds(__u64 seed, unsigned int n)
{
	unsigned long done = 0, armed = 0, errors = 0, lost = 0, escaped = 0, skipped = 0;
	unsigned int i, bad = 0;

	for (i = 0; i < nr_seeds; i++) {
		if (nr_seeds > 1)
			printf("# seed %llu\n", (unsigned long long)seed + i);
		if (watch_seed(seed + i, n)) {
			bad++;
			count_class(board->class);
		}
		done += board->done;
		armed += board->armed;
		errors += board->errors;
		lost += board->lost;
		escaped += board->escaped;
		skipped += board->skipped;
	}
	for (i = 0; i < nr_classes; i++)
		printf("# %u times: %s\n", class_count[i], classes[i]);
	mce_outcome("%lu done, %lu idle, %lu armed, %lu errors, %lu lost, %lu freed, %u findings",
		    done, skipped, armed, errors, lost, escaped, bad);
	return bad;
}

static int alone(int argc, char **argv)
{
	__u64 seed = strtoull(argv[1], NULL, 0);
	unsigned int n = strtoul(argv[2], NULL, 0);
	int i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!n || n > MAX_OPS || configure(argv[3]) || options(getenv("MCE_FSX")))
		return 2;
	for (i = 4; i < argc; i++)
		if (one_option(argv[i])) {
			printf("# cannot do %s\n", argv[i]);
			return 2;
		}
	if (cfg.poison && mce_missing()) {
		printf("# %s\n", mce_missing());
		return KSFT_SKIP;
	}
	if (set_up_memory() || mce_pin(0))
		return 2;
	if (cfg.reader) {
		cpu_set_t set;

		memset(&set, 0xff, sizeof(set));
		sched_setaffinity(0, sizeof(set), &set);
	}
	return all_seeds(seed, n) ? 1 : 0;
}

/* --- cases -------------------------------------------------------------------- */

FIXTURE(fsx)
{
	int fd;
};

FIXTURE_VARIANT(fsx)
{
	unsigned long magic;	/* of a file system there is */
	const char *made;	/* or one that is made here */
};

FIXTURE_VARIANT_ADD(fsx, ext4)
{
	.magic = MCE_FS_EXT4,
};

FIXTURE_VARIANT_ADD(fsx, xfs)
{
	.magic = MCE_FS_XFS,
};

FIXTURE_VARIANT_ADD(fsx, tmpfs)
{
	.magic = MCE_FS_TMPFS,
};

FIXTURE_VARIANT_ADD(fsx, fuse)
{
	.made = "fuse",
};

FIXTURE_VARIANT_ADD(fsx, fuse_writeback)
{
	.made = "fuse-wb",
};

FIXTURE_VARIANT_ADD(fsx, 9p)
{
	.made = "9p",
};

FIXTURE_SETUP(fsx)
{
	self->fd = -1;
}

FIXTURE_TEARDOWN(fsx)
{
}

static void fsx_case(struct __test_metadata *const _metadata,
		     const struct _fixture_variant_fsx *variant, const char *more,
		     unsigned int seeds, unsigned int nr_ops)
{
	const char *seed = getenv("MCE_SEED"), *ops = getenv("MCE_OPS");
	char dir[PATH_MAX - 64];

	if (variant->made)
		snprintf(dir, sizeof(dir), "%s", variant->made);
	else if (!mce_dir_on(variant->magic, dir, sizeof(dir)))
		SKIP(return, "no directory on that file system");
	ASSERT_EQ(0, configure(dir));
	nr_seeds = seed ? 1 : seeds;
	ASSERT_EQ(0, options(more));
	ASSERT_EQ(0, options(getenv("MCE_FSX")));
	ASSERT_EQ(0, set_up_memory());
	if (!cfg.reader)
		ASSERT_EQ(0, mce_pin(0));
	EXPECT_EQ(0, all_seeds(seed ? strtoull(seed, NULL, 0) : 1,
			       ops ? strtoul(ops, NULL, 0) : nr_ops));
}

TEST_F_TIMEOUT(fsx, alone, 240)
{
	fsx_case(_metadata, variant, "", 4, 200);
}

/* Nothing goes bad: what is found is wrong with the model, or with the file system. */
TEST_F_TIMEOUT(fsx, sound, 240)
{
	fsx_case(_metadata, variant, "--no-poison", 1, 300);
}

TEST_F_TIMEOUT(fsx, with_reader, 240)
{
	fsx_case(_metadata, variant, "--reader", 2, 200);
}

#define main mce_harness_main
TEST_HARNESS_MAIN
#undef main

int main(int argc, char **argv)
{
	if (argc >= 4 && argv[1][0] >= '0' && argv[1][0] <= '9')
		return alone(argc, argv);
	return mce_main(argc, argv, mce_harness_main);
}
