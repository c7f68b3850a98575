// SPDX-License-Identifier: GPL-2.0
/* libmc: exception tables, see mc_table_add(3). */
#include <errno.h>
#include <stdlib.h>

#include "arch/arch.h"
#include "internal.h"

/* The table of the library's own routines; a static program may have none. */
extern const struct mc_entry __start_mc_own_extable[] __attribute__((weak)) MC_HIDDEN;
extern const struct mc_entry __stop_mc_own_extable[] __attribute__((weak)) MC_HIDDEN;

static void decode(const struct mc_entry *entry, struct mc_range *range)
{
	range->from = (uintptr_t)&entry->from + (uintptr_t)(intptr_t)entry->from;
	range->to = range->from + entry->len;
	range->landing = (uintptr_t)&entry->landing + (uintptr_t)(intptr_t)entry->landing;
	range->how = entry->how;
}

/* Is a register named that is there, or none? */
static bool reg_ok(uint32_t field)
{
	return !field || mc_arch_reg_ok(field - 1);
}

static int compare(const void *a, const void *b)
{
	const struct mc_range *x = a, *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

/* Absolute, in order, and without an entry that contradicts another one. */
static int fill(struct mc_range *range, const struct mc_entry *table, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		decode(&table[i], &range[i]);
		if (!table[i].len || (table[i].how >> 16) ||
		    !reg_ok(table[i].how & 0xff) || !reg_ok(table[i].how >> 8))
			return -EINVAL;
	}
	qsort(range, count, sizeof(*range), compare);
	for (i = 1; i < count; i++)
		if (range[i].from < range[i - 1].to)
			return -EEXIST;
	return 0;
}

/**
 * mc_table_add() - Register an exception table
 * @table: the entries, in any order; not needed any more afterwards
 * @count: how many
 *
 * Not from a callback or another signal handler.
 *
 * Return: 0; -EINVAL for an entry that is malformed; -EEXIST if two speak of the
 * same instruction, or if the code from the first to the last instruction overlaps
 * that of another table, or @table is registered already; -ENOMEM; -EDEADLK in a
 * callback.
 */
int mc_table_add(const struct mc_entry *table, size_t count)
{
	struct mc_range *range;
	struct mc_node *node;
	struct mc_lock lock;
	int err;

	if (!count)
		return 0;
	if (mc_reading())
		return -EDEADLK;
	range = calloc(count, sizeof(*range));
	if (!range)
		return -ENOMEM;
	err = fill(range, table, count);
	if (err) {
		free(range);
		return err;
	}
	node = mc_node_new(range[0].from, range[count - 1].to);
	if (!node) {
		free(range);
		return -ENOMEM;
	}
	node->table = range;
	node->count = count;
	node->key = table;
	mc_lock(&lock);
	err = mc_ranges_add(&mc_tables, node);
	mc_unlock(&lock);
	if (err) {
		free(node);
		free(range);
	}
	return err;
}

/**
 * mc_table_remove() - Remove an exception table
 * @table: as it was registered
 *
 * When it returns, no handler knows of it; a thread may still be on its way to
 * one of its landing pads. Not from a callback or another signal handler.
 *
 * Return: 0, -ENOENT if it is not registered, -EDEADLK in a callback.
 */
int mc_table_remove(const struct mc_entry *table)
{
	struct mc_node *node;
	struct mc_lock lock;
	int err;

	err = mc_lock(&lock);
	if (err)
		return err;
	node = mc_ranges_by_key(&mc_tables, table);
	if (node)
		mc_ranges_remove(&mc_tables, node->start);
	mc_unlock(&lock);
	if (!node)
		return -ENOENT;
	mc_wait_for_handlers();
	free(node->table);
	free(node);
	return 0;
}

/**
 * mc_table_find() - Look an instruction up; for the handler
 * @ip: its address
 * @range: where to put the entry
 *
 * Return: is there one?
 */
bool mc_table_find(uintptr_t ip, struct mc_range *range)
{
	const struct mc_entry *own;
	struct mc_node *node;
	size_t low = 0, high;

	for (own = __start_mc_own_extable; own < __stop_mc_own_extable; own++) {
		decode(own, range);
		if (ip >= range->from && ip < range->to)
			return true;
	}
	node = mc_ranges_first(&mc_tables, ip, ip + 1);
	if (!node)
		return false;
	high = node->count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (ip >= node->table[mid].to)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == node->count || ip < node->table[low].from)
		return false;
	*range = node->table[low];
	return true;
}
