// SPDX-License-Identifier: GPL-2.0
/*
 * 16 threads that add, remove and touch at random: regions, tables, blocks,
 * handlers, threads that come and go, and processes.
 *
 * MC_SEED=n and MC_SECONDS=n choose another run.
 */

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "test.h"

enum { THREADS = 16, SLOTS = 64 };

static unsigned char *map;
static unsigned long seed, deadline;
static unsigned long did[8];

/* What a region's callback may look at: freed when the region is removed. */
struct owner {
	unsigned long alive;
	int action;
	unsigned char *page;
};

#define ALIVE	0x616c697665UL

static pthread_mutex_t slot_lock[SLOTS];
static struct owner *slots[SLOTS];

struct jit {
	unsigned char code[16];
	struct mc_entry entry;
};

static struct jit *jit;
static bool jit_there[SLOTS];
static pthread_mutex_t jit_lock[SLOTS];

static const unsigned char code[] = {
	0x0f, 0xb6, 0x07, 0xc3, 0xb8, 0xff, 0xff, 0xff, 0xff, 0xc3,
};

static unsigned long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (unsigned long)ts.tv_sec * 1000 + (unsigned long)ts.tv_nsec / 1000000;
}

static unsigned long rnd(unsigned long *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

static int callback(const struct mc_fault *f, void *arg)
{
	struct owner *o = arg;
	unsigned char buf[64];

	EQ(ALIVE, o->alive);
	CHECK((unsigned char *)f->addr >= o->page && (unsigned char *)f->addr < o->page + PAGE);
	if (NESTED_FAULTS && o->action == MC_UNWIND)
		EQ(64, mc_memcpy(buf, map + (SLOTS + 1) * PAGE, 64));
	if (o->action == MC_RETRY &&
	    mmap(f->start, PAGE, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS,
		 -1, 0) != f->start)
		_exit(3);
	EQ(ALIVE, o->alive);
	return o->action;
}

/* Regions: the page is as it was before, without anything behind it. */
static void change_region(unsigned long *s)
{
	unsigned int i = rnd(s) % SLOTS;
	struct owner *o = NULL;
	unsigned char *page = map + i * PAGE;

	pthread_mutex_lock(&slot_lock[i]);
	if (slots[i]) {
		EQ(0, mc_region_remove(page, PAGE));
		o = slots[i];
		slots[i] = NULL;
		o->alive = 0;
	} else {
		slots[i] = calloc(1, sizeof(*o));
		slots[i]->alive = ALIVE;
		slots[i]->action = rnd(s) % 3 ? MC_UNWIND : MC_RETRY;
		slots[i]->page = page;
		EQ(0, mc_region_add(page, PAGE, callback, slots[i]));
	}
	pthread_mutex_unlock(&slot_lock[i]);
	free(o);
}

static void load_it(void *p)
{
	touch(p);
}

static void touch_region(unsigned long *s)
{
	unsigned char *p = map + rnd(s) % (SLOTS * PAGE), buf[256];
	size_t left, i;
	uint64_t val;
	int kind;

	switch (rnd(s) % 4) {
	case 0:
		kind = mc_call(load_it, p, NULL);
		CHECK(!kind || kind == MC_TRUNCATED);
		break;
	case 1:
		/* A page can be lost at any byte of it: what was copied is what was there. */
		memset(buf, 0xff, sizeof(buf));
		left = mc_memcpy(buf, p, sizeof(buf));
		CHECK(left <= sizeof(buf));
		for (i = 0; i < sizeof(buf) - left; i++)
			EQ(0, buf[i]);
		break;
	case 2:
		kind = mc_load64(p, &val);
		CHECK(!kind || kind == MC_TRUNCATED);
		break;
	case 3:
		left = mc_probe(p, sizeof(buf));
		CHECK(left <= sizeof(buf));
		break;
	}
}

static void change_table(unsigned long *s)
{
	unsigned int i = rnd(s) % SLOTS;

	pthread_mutex_lock(&jit_lock[i]);
	if (jit_there[i])
		EQ(0, mc_table_remove(&jit[i].entry));
	else
		EQ(0, mc_table_add(&jit[i].entry, 1));
	jit_there[i] = !jit_there[i];
	pthread_mutex_unlock(&jit_lock[i]);
}

struct call {
	unsigned int i;
	int ret;
};

static void call_jit(void *arg)
{
	struct call *c = arg;

	c->ret = ((int (*)(const void *))(void *)jit[c->i].code)(map + (SLOTS + 1) * PAGE);
}

/* While it is there the landing pad is taken; if not, the block is given up. */
static void touch_table(unsigned long *s)
{
	struct call c = { rnd(s) % SLOTS, 0 };
	int kind;

	if (rnd(s) % 2) {
		kind = mc_call(call_jit, &c, NULL);
		CHECK(kind ? kind == MC_TRUNCATED : c.ret == -1);
		return;
	}
	pthread_mutex_lock(&jit_lock[c.i]);
	if (jit_there[c.i]) {
		call_jit(&c);
		EQ(-1, c.ret);
	}
	pthread_mutex_unlock(&jit_lock[c.i]);
}

static void forget(unsigned long *s)
{
	unsigned int i = rnd(s) % SLOTS;
	int fd = memfd_create("empty", MFD_CLOEXEC);

	/* Lost again, for those who would mend it. */
	CHECK(fd >= 0);
	CHECK(mmap(map + i * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_SHARED, fd, 0) ==
	      map + i * PAGE);
	close(fd);
}

static void other_handler(int sig)
{
}

static void change_handler(unsigned long *s)
{
	struct sigaction act;

	memset(&act, 0, sizeof(act));
	act.sa_handler = other_handler;
	EQ(0, mc_init(0));
	EQ(0, mc_sigaction(&act, NULL));
	raise(SIGBUS);
	EQ(0, mc_exit());
}

static void *worker(void *arg);

static void have_child(unsigned long *s)
{
	unsigned char buf[64];
	int status;
	pid_t pid;

	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		alarm(60);
		EQ(64, mc_memcpy(buf, map + (SLOTS + 1) * PAGE, 64));
		EQ(MC_TRUNCATED, mc_call(load_it, map + (SLOTS + 1) * PAGE, NULL));
		EQ(0, mc_region_add(map + (SLOTS + 1) * PAGE, 1, callback, NULL));
		EQ(0, mc_region_remove(map + (SLOTS + 1) * PAGE, 1));
		_exit(0);
	}
	EQ(pid, waitpid(pid, &status, 0));
	EQ(0, status);
}

static void *short_lived(void *arg)
{
	unsigned long s = *(unsigned long *)arg;

	EQ(0, mc_thread_stack());
	touch_region(&s);
	touch_table(&s);
	return NULL;
}

static void have_thread(unsigned long *s)
{
	unsigned long arg = rnd(s);
	pthread_t t;

	EQ(0, pthread_create(&t, NULL, short_lived, &arg));
	EQ(0, pthread_join(t, NULL));
}

static void *worker(void *arg)
{
	static void (*const what[])(unsigned long *) = {
		change_region, touch_region, change_table, touch_table, forget, change_handler,
		have_thread, have_child,
	};
	static const unsigned int odds[] = { 30, 100, 20, 60, 30, 2, 1, 0 };
	unsigned long s = (seed + (uintptr_t)arg + 1) * 0x9e3779b97f4a7c15;
	unsigned int i, n, sum = 0;

	for (i = 0; i < 8; i++)
		sum += odds[i];
	EQ(0, mc_thread_stack());
	while (now_ms() < deadline) {
		n = rnd(&s) % (sum * 16);
		/* A child in a thousand or so: it costs as much. */
		if (n < 8) {
			i = 7;
		} else {
			n %= sum;
			for (i = 0; n >= odds[i]; i++)
				n -= odds[i];
		}
#if defined(__SANITIZE_THREAD__)
		if (i == 7)
			continue;
#endif
		what[i](&s);
		__atomic_add_fetch(&did[i], 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST(race)
{
	const char *env = getenv("MC_SEED"), *seconds = getenv("MC_SECONDS");
	pthread_t t[THREADS];
	uintptr_t i;

	seed = env ? strtoul(env, NULL, 0) : 1;
	map = truncated(SLOTS + 2, 0, NULL);
	jit = mmap(NULL, SLOTS * sizeof(*jit), PROT_READ | PROT_WRITE | PROT_EXEC,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(jit != MAP_FAILED);
	for (i = 0; i < SLOTS; i++) {
		memcpy(jit[i].code, code, sizeof(code));
		EQ(0, mc_entry_set(&jit[i].entry, jit[i].code, jit[i].code + 3, jit[i].code + 4, 0));
		pthread_mutex_init(&slot_lock[i], NULL);
		pthread_mutex_init(&jit_lock[i], NULL);
	}
	EQ(0, mc_init(0));
	deadline = now_ms() + (seconds ? strtoul(seconds, NULL, 0) : 5) * 1000;
	for (i = 0; i < THREADS; i++)
		EQ(0, pthread_create(&t[i], NULL, worker, (void *)i));
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	printf("# seed %lu: %lu regions, %lu touched, %lu tables, %lu called, %lu lost, %lu handlers, %lu threads, %lu children\n",
	       seed, did[0], did[1], did[2], did[3], did[4], did[5], did[6], did[7]);
	for (i = 0; i < SLOTS; i++)
		if (slots[i])
			EQ(0, mc_region_remove(map + i * PAGE, PAGE));
	EQ(0, mc_exit());
}
