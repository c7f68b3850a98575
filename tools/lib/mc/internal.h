/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of libmc know of each other. */
#ifndef MC_INTERNAL_H
#define MC_INTERNAL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mc.h"

#define MC_HIDDEN	__attribute__((visibility("hidden")))

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

/*
 * For code that runs in the handler: a first use of a thread-local variable of
 * another model may allocate memory.
 */
#define MC_TLS		__thread __attribute__((tls_model("initial-exec")))

/* copy.S, copy.c of an architecture */
typedef size_t mc_copy_fn(void *dst, const void *src, size_t len);
MC_HIDDEN bool mc_copy_choose(const char *name);
#define MC_REP_MIN	3072

/**
 * struct mc_node - a range of addresses, and what is known of it
 * @start: first byte
 * @end: first byte behind it
 * @fn: a region's callback
 * @arg: and its argument
 * @table: an exception table, sorted, absolute
 * @count: its length
 * @key: what it was registered as
 * @levels: how many lists it is in
 * @next: the nodes behind it in those
 */
struct mc_node {
	uintptr_t start;
	uintptr_t end;
	mc_region_fn *fn;
	void *arg;
	struct mc_range *table;
	size_t count;
	const void *key;
	unsigned int levels;
	struct mc_node *next[];
};

/* A table's entry, ready for use. */
struct mc_range {
	uintptr_t from;
	uintptr_t to;
	uintptr_t landing;
	uint32_t how;
};

#define MC_LEVELS	16

/* Ranges in the order of their addresses, none of which overlap. */
struct mc_ranges {
	struct mc_node *head[MC_LEVELS];
};

extern MC_HIDDEN struct mc_ranges mc_regions;
extern MC_HIDDEN struct mc_ranges mc_tables;

/* ranges.c: for writers */
struct mc_lock {
	sigset_t mask;
};

MC_HIDDEN int mc_lock(struct mc_lock *lock);
MC_HIDDEN void mc_unlock(struct mc_lock *lock);
MC_HIDDEN struct mc_node *mc_node_new(uintptr_t start, uintptr_t end);
MC_HIDDEN int mc_ranges_add(struct mc_ranges *r, struct mc_node *node);
MC_HIDDEN struct mc_node *mc_ranges_remove(struct mc_ranges *r, uintptr_t start);
MC_HIDDEN struct mc_node *mc_ranges_by_key(struct mc_ranges *r, const void *key);
MC_HIDDEN void mc_wait_for_handlers(void);

/* and for the handler */
MC_HIDDEN unsigned int mc_read_lock(void);
MC_HIDDEN void mc_read_unlock(unsigned int side);
MC_HIDDEN bool mc_reading(void);
MC_HIDDEN struct mc_node *mc_ranges_first(struct mc_ranges *r, uintptr_t start, uintptr_t end);
MC_HIDDEN struct mc_node *mc_ranges_next(struct mc_node *node);

/* table.c */
MC_HIDDEN bool mc_table_find(uintptr_t ip, struct mc_range *range);

#endif
