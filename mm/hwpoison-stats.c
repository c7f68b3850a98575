// SPDX-License-Identifier: GPL-2.0
/*
 * How many synchronous memory errors this machine has survived, in
 * /sys/kernel/mm/hwpoison. See Documentation/ABI/testing/sysfs-kernel-mm-hwpoison.
 */
#include <linux/atomic.h>
#include <linux/hwpoison.h>
#include <linux/init.h>
#include <linux/kobject.h>
#include <linux/mm.h>
#include <linux/sysfs.h>

#include "hwpoison-stats.h"

static atomic_long_t counts[NR_HWPOISON_SOURCES][NR_HWPOISON_OUTCOMES];

/**
 * hwpoison_count() - count a recovery
 * @source:	who met the error
 * @outcome:	what became of the page
 *
 * Context: any, NMI included.
 */
void hwpoison_count(enum hwpoison_source source, enum hwpoison_outcome outcome)
{
	atomic_long_inc(&counts[source][outcome]);
}

struct count_attribute {
	struct kobj_attribute	attr;
	atomic_long_t		*count;
};

static ssize_t count_show(struct kobject *kobj, struct kobj_attribute *attr,
			  char *buf)
{
	struct count_attribute *c = container_of(attr, struct count_attribute, attr);

	return sysfs_emit(buf, "%ld\n", atomic_long_read(c->count));
}

#define COUNT(_name, _source, _outcome)					\
	static struct count_attribute _name##_attr = {			\
		.attr = __ATTR(_name, 0444, count_show, NULL),		\
		.count = &counts[_source][_outcome],			\
	}

COUNT(user_offlined, HWPOISON_BY_USER, HWPOISON_OFFLINED);
COUNT(user_known, HWPOISON_BY_USER, HWPOISON_KNOWN);
COUNT(user_failed, HWPOISON_BY_USER, HWPOISON_FAILED);
COUNT(task_offlined, HWPOISON_BY_TASK, HWPOISON_OFFLINED);
COUNT(task_known, HWPOISON_BY_TASK, HWPOISON_KNOWN);
COUNT(task_failed, HWPOISON_BY_TASK, HWPOISON_FAILED);
COUNT(kernel_offlined, HWPOISON_BY_OTHER, HWPOISON_OFFLINED);
COUNT(kernel_known, HWPOISON_BY_OTHER, HWPOISON_KNOWN);
COUNT(kernel_failed, HWPOISON_BY_OTHER, HWPOISON_FAILED);
COUNT(claimed_offlined, HWPOISON_CLAIMED, HWPOISON_OFFLINED);
COUNT(claimed_known, HWPOISON_CLAIMED, HWPOISON_KNOWN);
COUNT(claimed_failed, HWPOISON_CLAIMED, HWPOISON_FAILED);

static struct attribute *hwpoison_attrs[] = {
	&user_offlined_attr.attr.attr,
	&user_known_attr.attr.attr,
	&user_failed_attr.attr.attr,
	&task_offlined_attr.attr.attr,
	&task_known_attr.attr.attr,
	&task_failed_attr.attr.attr,
	&kernel_offlined_attr.attr.attr,
	&kernel_known_attr.attr.attr,
	&kernel_failed_attr.attr.attr,
	&claimed_offlined_attr.attr.attr,
	&claimed_known_attr.attr.attr,
	&claimed_failed_attr.attr.attr,
	NULL,
};

static const struct attribute_group hwpoison_group = {
	.name = "hwpoison",
	.attrs = hwpoison_attrs,
};

static int __init hwpoison_stats_init(void)
{
	return sysfs_create_group(mm_kobj, &hwpoison_group);
}
late_initcall(hwpoison_stats_init);
