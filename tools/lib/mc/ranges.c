// SPDX-License-Identifier: GPL-2.0
/*
 * Ranges of addresses that handlers look up while others change them.
 *
 * The ranges are a skip list. Handlers walk it without a lock; writers have one,
 * and link and unlink a node with a store each level. Nobody frees a node before
 * all handlers that may have seen it are through: they count themselves in and
 * out, on one of two counters, and whoever removes a node turns to the other
 * counter, twice, and waits until each was zero (sleepable RCU does the same).
 *
 * Why not hazard pointers or a count a thread: the library is never told of
 * threads, a handler cannot allocate memory for one that it has not seen before,
 * and a counter that all share costs a handler some 20 ns, on top of a signal
 * that costs a microsecond and more.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

struct mc_ranges mc_regions MC_HIDDEN;
struct mc_ranges mc_tables MC_HIDDEN;

/* A change takes the first one; whoever waits for handlers, the second one. */
static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t waiting = PTHREAD_MUTEX_INITIALIZER;

static struct {
	unsigned int side;
	unsigned long readers[2] __attribute__((aligned(64)));
} handlers;

/* How often this thread is among them: its callbacks may fault, too. */
static MC_TLS unsigned int mine[2];

unsigned int mc_read_lock(void)
{
	unsigned int side = __atomic_load_n(&handlers.side, __ATOMIC_SEQ_CST);

	__atomic_fetch_add(&handlers.readers[side], 1, __ATOMIC_SEQ_CST);
	mine[side]++;
	return side;
}

void mc_read_unlock(unsigned int side)
{
	mine[side]--;
	__atomic_fetch_sub(&handlers.readers[side], 1, __ATOMIC_SEQ_CST);
}

/* Is this thread in a callback? */
bool mc_reading(void)
{
	return mine[0] || mine[1];
}

/* Signals stay blocked: a handler that jumps away would take the lock along. */
static void block_signals(struct mc_lock *lock)
{
	sigset_t all;

	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGSEGV);
	pthread_sigmask(SIG_SETMASK, &all, &lock->mask);
}

/* Return: 0, or -EDEADLK in a callback, which the owner may be waiting for. */
int mc_lock(struct mc_lock *lock)
{
	if (mc_reading())
		return -EDEADLK;
	block_signals(lock);
	pthread_mutex_lock(&changing);
	return 0;
}

void mc_unlock(struct mc_lock *lock)
{
	pthread_mutex_unlock(&changing);
	pthread_sigmask(SIG_SETMASK, &lock->mask, NULL);
}

/* No point of cancellation, as nanosleep() would be. */
static void nap(void)
{
	struct timespec ts = { 0, 50000 };

	syscall(SYS_nanosleep, &ts, NULL);
}

/*
 * Wait until no handler can still know what was unlinked before. A handler that
 * has read the side and not counted itself in yet counts itself on a side that
 * has been waited for, or will be; it then sees the list as it is now.
 */
void mc_wait_for_handlers(void)
{
	struct mc_lock lock;
	int i, turns;

	block_signals(&lock);
	pthread_mutex_lock(&waiting);
	for (i = 0; i < 2; i++) {
		unsigned int side = handlers.side;

		__atomic_store_n(&handlers.side, !side, __ATOMIC_SEQ_CST);
		turns = 0;
		while (__atomic_load_n(&handlers.readers[side], __ATOMIC_SEQ_CST)) {
			if (turns++ < 100)
				sched_yield();
			else
				nap();
		}
	}
	pthread_mutex_unlock(&waiting);
	pthread_sigmask(SIG_SETMASK, &lock.mask, NULL);
}

/*
 * A child has one thread: the one that called fork(). Whoever was in a handler or
 * waited for one is not there.
 */
static void before_fork(void)
{
	pthread_mutex_lock(&changing);
}

static void after_fork(void)
{
	pthread_mutex_unlock(&changing);
}

static void in_child(void)
{
	int i;

	for (i = 0; i < 2; i++)
		__atomic_store_n(&handlers.readers[i], mine[i], __ATOMIC_SEQ_CST);
	pthread_mutex_init(&waiting, NULL);
	pthread_mutex_unlock(&changing);
}

__attribute__((constructor))
static void watch_forks(void)
{
	pthread_atfork(before_fork, after_fork, in_child);
}

static struct mc_node *load(struct mc_node **link)
{
	return __atomic_load_n(link, __ATOMIC_SEQ_CST);
}

/* One node in four is in the next list, too. */
static unsigned int random_levels(void)
{
	static uint64_t state;
	uint64_t x = __atomic_add_fetch(&state, 0x9e3779b97f4a7c15, __ATOMIC_RELAXED);

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return 1 + (unsigned int)__builtin_ctzll(x >> 32 | 1ULL << (2 * MC_LEVELS - 2)) / 2;
}

/* Not under the lock: memory that is bad may be met here. */
struct mc_node *mc_node_new(uintptr_t start, uintptr_t end)
{
	unsigned int levels = random_levels();
	struct mc_node *node;

	node = calloc(1, sizeof(*node) + levels * sizeof(node->next[0]));
	if (!node)
		return NULL;
	node->start = start;
	node->end = end;
	node->levels = levels;
	return node;
}

/* The last link of each level that leads to a node at or behind start. */
static void find_links(struct mc_ranges *r, uintptr_t start, struct mc_node **links[MC_LEVELS])
{
	struct mc_node **next = r->head;
	int i;

	for (i = MC_LEVELS - 1; i >= 0; i--) {
		while (next[i] && next[i]->start < start)
			next = next[i]->next;
		links[i] = &next[i];
	}
}

/**
 * mc_ranges_add() - Add a range
 * @r: the ranges; locked
 * @node: the new one
 *
 * Return: 0, or -EEXIST if it overlaps another one.
 */
int mc_ranges_add(struct mc_ranges *r, struct mc_node *node)
{
	struct mc_node **links[MC_LEVELS];
	unsigned int i;

	if (mc_ranges_first(r, node->start, node->end))
		return -EEXIST;
	find_links(r, node->start, links);
	for (i = 0; i < node->levels; i++)
		node->next[i] = *links[i];
	for (i = 0; i < node->levels; i++)
		__atomic_store_n(links[i], node, __ATOMIC_SEQ_CST);
	return 0;
}

/**
 * mc_ranges_remove() - Unlink a range
 * @r: the ranges; locked
 * @start: its first byte
 *
 * Handlers may still know it until mc_wait_for_handlers() has returned.
 *
 * Return: the node, or NULL if none begins there.
 */
struct mc_node *mc_ranges_remove(struct mc_ranges *r, uintptr_t start)
{
	struct mc_node **links[MC_LEVELS], *node;
	unsigned int i;

	find_links(r, start, links);
	node = *links[0];
	if (!node || node->start != start)
		return NULL;
	for (i = node->levels; i-- > 0; )
		__atomic_store_n(links[i], node->next[i], __ATOMIC_SEQ_CST);
	return node;
}

/* The node that was registered as @key; locked. */
struct mc_node *mc_ranges_by_key(struct mc_ranges *r, const void *key)
{
	struct mc_node *node;

	for (node = r->head[0]; node; node = node->next[0])
		if (node->key == key)
			return node;
	return NULL;
}

/**
 * mc_ranges_first() - The first range that overlaps another one
 * @r: the ranges; locked, or counted among the handlers
 * @start: first byte
 * @end: first byte behind it
 *
 * Return: the node, or NULL.
 */
struct mc_node *mc_ranges_first(struct mc_ranges *r, uintptr_t start, uintptr_t end)
{
	struct mc_node *before = NULL, **next = r->head, *node = NULL;
	int i;

	for (i = MC_LEVELS - 1; i >= 0; i--) {
		while ((node = load(&next[i])) && node->start <= start) {
			before = node;
			next = node->next;
		}
	}
	if (before && before->end > start)
		return before;
	/* As the loop has seen it: by now another one may be in front of it. */
	return node && node->start < end ? node : NULL;
}

struct mc_node *mc_ranges_next(struct mc_node *node)
{
	return load(&node->next[0]);
}
