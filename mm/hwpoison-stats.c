// SPDX-License-Identifier: GPL-2.0
/*
 * The synchronous memory errors that this machine has survived, made known: a
 * tracepoint, lines in the kernel log, and how many there were in
 * /sys/kernel/mm/hwpoison. See Documentation/ABI/testing/sysfs-kernel-mm-hwpoison.
 */
#include <linux/atomic.h>
#include <linux/filemap_lost.h>
#include <linux/hwpoison.h>
#include <linux/init.h>
#include <linux/kobject.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/spinlock.h>
#include <linux/sysfs.h>
#include <linux/workqueue.h>

#define CREATE_TRACE_POINTS
#include <trace/events/hwpoison.h>

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

/*
 * To find the name of a place in the kernel takes as long as to take the page
 * out of service. A program that waits for that need not wait for the log.
 */
struct met {
	unsigned long		ip;
	u64			addr;
	enum hwpoison_source	source;
};

#define MAX_MET		32

static struct met met[MAX_MET];
static unsigned int nr_met;
static DEFINE_SPINLOCK(met_lock);

static void print_met(const struct met *m)
{
	if (m->source == HWPOISON_BY_USER)
		pr_err("mce: Uncorrected hardware memory error in user-access at %llx\n",
		       m->addr);
	else if (m->ip)
		pr_err("hwpoison: %#lx: met by the kernel at %pS\n",
		       (unsigned long)PHYS_PFN(m->addr), (void *)m->ip);
}

static void print_all_met(struct work_struct *work)
{
	struct met list[MAX_MET / 4];
	unsigned int i, n, more;

	do {
		spin_lock_irq(&met_lock);
		more = max(nr_met, MAX_MET) - MAX_MET;
		nr_met -= more;
		n = min(nr_met, ARRAY_SIZE(list));
		nr_met -= n;
		memcpy(list, met + nr_met, n * sizeof(*met));
		spin_unlock_irq(&met_lock);

		for (i = 0; i < n; i++)
			print_met(list + i);
		if (more)
			pr_err("hwpoison: and %u more\n", more);
	} while (n);
}

static DECLARE_DELAYED_WORK(print_work, print_all_met);

static void log_met(unsigned long ip, u64 addr, enum hwpoison_source source)
{
	unsigned long flags;

	spin_lock_irqsave(&met_lock, flags);
	if (nr_met < MAX_MET)
		met[nr_met] = (struct met){ ip, addr, source };
	nr_met++;
	spin_unlock_irqrestore(&met_lock, flags);
	schedule_delayed_work(&print_work, 1);
}

/**
 * hwpoison_tell() - make a recovery known to who watches the machine
 * @ip:		instruction that met the error, 0 if nobody remembers
 * @addr:	physical address of the error
 * @source:	who that was
 * @ret:	what memory_failure() said
 *
 * Context: any but NMI.
 */
void hwpoison_tell(unsigned long ip, u64 addr, enum hwpoison_source source,
		   int ret)
{
	enum hwpoison_outcome outcome = HWPOISON_FAILED;

	if (!ret)
		outcome = HWPOISON_OFFLINED;
	else if (ret == -EHWPOISON)
		outcome = HWPOISON_KNOWN;
	hwpoison_count(source, outcome);
	trace_hwpoison_recovery(ip, PHYS_PFN(addr), source, outcome);
	log_met(ip, addr, source);
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

static ssize_t lost_pages_show(struct kobject *kobj, struct kobj_attribute *attr,
			       char *buf)
{
	return sysfs_emit(buf, "%lu\n", filemap_nr_lost(false));
}

static ssize_t evicted_pages_show(struct kobject *kobj,
				  struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lu\n", filemap_nr_lost(true));
}

static struct kobj_attribute lost_pages_attr = __ATTR_RO(lost_pages);
static struct kobj_attribute evicted_pages_attr = __ATTR_RO(evicted_pages);

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
	&lost_pages_attr.attr,
	&evicted_pages_attr.attr,
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
