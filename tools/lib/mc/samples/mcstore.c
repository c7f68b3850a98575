// SPDX-License-Identifier: GPL-2.0
/*
 * mcstore: a store on a mapped file that goes on when its memory does not.
 *
 *	mcstore FILE [RECORDS [THREADS [SECONDS [LOSE]]]]
 *
 * A record is a page of the file: memory that is bad is taken away by the page, so
 * a smaller record would take its neighbours along. Whoever gets or puts a record
 * copies it with mc_memcpy(). If a copy ends early the record is lost: its number
 * is reported, once, a new page is put in its place, and everybody else goes on.
 * What is put into a page that is lost is not lost.
 *
 * The program puts load on a store: threads get and put records at random. LOSE
 * of them are taken away meanwhile, by mapping nothing in their place. In the end
 * all records are compared with what was put last.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "mc.h"

#define STORE_PAGE	4096UL
#define STORE_LOCKS	64

/* In the file. */
struct record {
	uint64_t key;
	uint64_t version;	/* 0: lost, and not put again */
	uint64_t sum;
	unsigned char data[STORE_PAGE - 24];
};

struct store {
	int fd;
	size_t count;
	struct record *map;
	pthread_mutex_t lock[STORE_LOCKS];
	/* called once for each lost record, with its lock held */
	void (*lost)(struct store *s, uint64_t key, const struct mc_fault *why);
	void *user;
};

static uint64_t record_sum(const struct record *r)
{
	uint64_t sum = r->key * 0x9e3779b97f4a7c15 + r->version, word;
	size_t i;

	for (i = 0; i < sizeof(r->data); i += 8) {
		memcpy(&word, r->data + i, 8);
		sum = (sum ^ word) * 0x100000001b3;
	}
	return sum;
}

static int store_open(struct store *s, const char *path, size_t count)
{
	int i;

	s->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->fd < 0)
		return -errno;
	if (ftruncate(s->fd, (off_t)(count * STORE_PAGE)))
		return -errno;
	s->map = mmap(NULL, count * STORE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
	if (s->map == MAP_FAILED)
		return -errno;
	s->count = count;
	for (i = 0; i < STORE_LOCKS; i++)
		pthread_mutex_init(&s->lock[i], NULL);
	return mc_init(0);
}

static void store_close(struct store *s)
{
	munmap(s->map, s->count * STORE_PAGE);
	close(s->fd);
	mc_exit();
}

static pthread_mutex_t *lock_of(struct store *s, uint64_t key)
{
	return &s->lock[key % STORE_LOCKS];
}

/*
 * A new page: out of the file goes what there is (the kernel keeps a bad page of a
 * file that is in memory only, so that nobody reads old data), and the mapping
 * comes back, whatever took its place.
 */
static int renew(struct store *s, uint64_t key)
{
	off_t at = (off_t)(key * STORE_PAGE);
	struct record *r = &s->map[key];

	if (fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, STORE_PAGE) &&
	    errno != EOPNOTSUPP)
		return -errno;
	if (mmap(r, STORE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, s->fd, at) != r)
		return -errno;
	return 0;
}

/* Into the file; twice, if what was there is bad. Return: 0, or -EIO. */
static int write_record(struct store *s, const struct record *r)
{
	if (!mc_memcpy(&s->map[r->key], r, sizeof(*r)))
		return 0;
	if (renew(s, r->key) || mc_memcpy(&s->map[r->key], r, sizeof(*r)))
		return -EIO;
	return 0;
}

/* Return: 0; -ENOENT if it was lost before; -EIO if it is lost now. */
static int store_get(struct store *s, uint64_t key, struct record *r)
{
	struct mc_fault why;
	int err = 0;

	pthread_mutex_lock(lock_of(s, key));
	if (mc_memcpy(r, &s->map[key], sizeof(*r))) {
		mc_last(&why);
		s->lost(s, key, &why);
		/* Nothing, from now on. */
		memset(r, 0, sizeof(*r));
		r->key = key;
		r->sum = record_sum(r);
		renew(s, key);
		write_record(s, r);
		err = -EIO;
	} else if (!r->version) {
		err = -ENOENT;
	} else if (r->key != key || r->sum != record_sum(r)) {
		err = -EBADMSG;
	}
	pthread_mutex_unlock(lock_of(s, key));
	return err;
}

/* What happened to it in @with is under the record's lock, too. */
static int store_put(struct store *s, struct record *r, void (*with)(void *arg), void *arg)
{
	int err;

	r->sum = record_sum(r);
	pthread_mutex_lock(lock_of(s, r->key));
	err = write_record(s, r);
	if (!err && with)
		with(arg);
	pthread_mutex_unlock(lock_of(s, r->key));
	return err;
}

/* --- load ------------------------------------------------------------------ */

struct load {
	struct store s;
	uint64_t *version;	/* what was put last; 0: reported as lost */
	unsigned int *reports;	/* how often each was */
	unsigned long gets, puts, lost, wrong;
	bool stop;
	int threads;
	pthread_t thread[64];
	bool quiet;
};

static void load_lost(struct store *s, uint64_t key, const struct mc_fault *why)
{
	struct load *l = s->user;

	if (!l->quiet)
		printf("record %llu is lost: %s at offset %llu\n", (unsigned long long)key,
		       why->kind == MC_ERROR ? "memory error" : "no page",
		       (unsigned long long)((char *)why->addr - (char *)s->map));
	l->version[key] = 0;
	__atomic_add_fetch(&l->reports[key], 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&l->lost, 1, __ATOMIC_RELAXED);
}

struct put {
	struct load *l;
	struct record r;
};

static void load_put_done(void *arg)
{
	struct put *p = arg;

	p->l->version[p->r.key] = p->r.version;
}

static int load_put(struct load *l, uint64_t key, uint64_t version)
{
	struct put p = { .l = l };

	p.r.key = key;
	p.r.version = version;
	memset(p.r.data, (int)(key + version), sizeof(p.r.data));
	return store_put(&l->s, &p.r, load_put_done, &p);
}

static void load_get(struct load *l, uint64_t key)
{
	struct record r;
	int err = store_get(&l->s, key, &r);

	if (err == -EBADMSG || (!err && r.data[0] != (unsigned char)(r.key + r.version)))
		__atomic_add_fetch(&l->wrong, 1, __ATOMIC_RELAXED);
}

static void *load_thread(void *arg)
{
	struct load *l = arg;
	uint64_t x = (uintptr_t)&x, version = 1;

	mc_thread_stack();
	while (!__atomic_load_n(&l->stop, __ATOMIC_RELAXED)) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		if (x % 8) {
			load_get(l, (x >> 8) % l->s.count);
			__atomic_add_fetch(&l->gets, 1, __ATOMIC_RELAXED);
		} else {
			if (load_put(l, (x >> 8) % l->s.count, ++version))
				__atomic_add_fetch(&l->wrong, 1, __ATOMIC_RELAXED);
			__atomic_add_fetch(&l->puts, 1, __ATOMIC_RELAXED);
		}
	}
	return NULL;
}

static int load_start(struct load *l, const char *path, size_t count, int threads)
{
	size_t i;
	int err;

	l->s.lost = load_lost;
	l->s.user = l;
	l->version = calloc(count, sizeof(*l->version));
	l->reports = calloc(count, sizeof(*l->reports));
	if (!l->version || !l->reports)
		return -ENOMEM;
	err = store_open(&l->s, path, count);
	for (i = 0; i < count && !err; i++)
		err = load_put(l, i, 1);
	for (l->threads = 0; l->threads < threads && l->threads < 64 && !err; l->threads++)
		err = -pthread_create(&l->thread[l->threads], NULL, load_thread, l);
	return err;
}

/* Each record is what was put last, or was reported as lost. Return: how many are not. */
static size_t load_end(struct load *l)
{
	struct record r;
	size_t i, bad = 0;

	__atomic_store_n(&l->stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < (size_t)l->threads; i++)
		pthread_join(l->thread[i], NULL);
	for (i = 0; i < l->s.count; i++)
		load_get(l, i);
	for (i = 0; i < l->s.count; i++) {
		int err = store_get(&l->s, i, &r);

		if (l->version[i] ? err || r.version != l->version[i] : err != -ENOENT) {
			printf("record %zu is wrong: %d, version %llu, not %llu\n", i, err,
			       (unsigned long long)r.version, (unsigned long long)l->version[i]);
			bad++;
		}
	}
	return bad + l->wrong;
}

#ifndef MC_SAMPLE_WITHOUT_MAIN
static void pause_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

/* Take some away, each once. */
static void lose(struct load *l, size_t n, long ms)
{
	int nothing = memfd_create("nothing", MFD_CLOEXEC);
	size_t i, step = l->s.count / n;

	for (i = 0; i < n; i++) {
		if (mmap(&l->s.map[i * step], STORE_PAGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, nothing, 0) == MAP_FAILED)
			perror("mcstore");
		if (i % 16 == 0)
			pause_ms(ms * 16 / (long)n);
	}
	close(nothing);
}

int main(int argc, char **argv)
{
	size_t count = argc > 2 ? strtoul(argv[2], NULL, 0) : 4096, bad;
	size_t n = argc > 5 ? strtoul(argv[5], NULL, 0) : 0;
	long seconds = argc > 4 ? atol(argv[4]) : 2;
	static struct load l;
	int err;

	if (argc < 2 || !count || n > count) {
		fprintf(stderr, "usage: mcstore FILE [RECORDS [THREADS [SECONDS [LOSE]]]]\n");
		return 2;
	}
	err = load_start(&l, argv[1], count, argc > 3 ? atoi(argv[3]) : 4);
	if (err) {
		fprintf(stderr, "mcstore: %s\n", strerror(-err));
		return 1;
	}
	if (n)
		lose(&l, n, seconds * 1000);
	else
		pause_ms(seconds * 1000);
	bad = load_end(&l);
	printf("%lu gets, %lu puts, %lu records lost, %zu wrong\n", l.gets, l.puts, l.lost, bad);
	store_close(&l.s);
	return bad != 0;
}
#endif
