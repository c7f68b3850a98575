// SPDX-License-Identifier: GPL-2.0
/*
 * Read user memory with code that cannot stop, one step at a time.
 *
 * An open debugfs file mce_alias holds one page. What is written to it:
 *
 *	map ADDRESS	have the page of the caller's address mapped
 *	words		add up all of it, by 64-bit loads
 *	copy		the same of a copy that memcpy() made
 *	vector		the same with vector registers, and interrupts off
 *	unmap
 *	cost WHAT	measure: "map", "probe" or "kmap" of that page
 *
 * A read says whether there was an address, what the sum of the last reading was,
 * and, after unmapping, whether that was real; or, for the sum, how many ticks of the
 * time stamp counter a thousand times took.
 */
#include <linux/debugfs.h>
#include <linux/hwpoison-alias.h>
#include <linux/hwpoison-page.h>
#include <linux/kstrtox.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <asm/fpu/api.h>
#include <asm/msr.h>

#define WORDS	(PAGE_SIZE / sizeof(u64))

struct alias {
	struct page	*page;
	void		*addr;
	u64		sum;
	bool		real;
	u64		copy[WORDS];
};

static struct dentry *file;

static int alias_open(struct inode *inode, struct file *filp)
{
	filp->private_data = kzalloc(sizeof(struct alias), GFP_KERNEL);

	return filp->private_data ? 0 : -ENOMEM;
}

static void unmap(struct alias *a)
{
	if (!a->page)
		return;
	a->real = a->addr && hwpoison_unmap(a->addr);
	put_page(a->page);
	a->page = NULL;
	a->addr = NULL;
}

static int alias_release(struct inode *inode, struct file *filp)
{
	unmap(filp->private_data);
	kfree(filp->private_data);

	return 0;
}

static int map(struct alias *a, unsigned long addr)
{
	unmap(a);
	if (get_user_pages_fast(addr, 1, 0, &a->page) != 1) {
		a->page = NULL;
		return -EFAULT;
	}
	a->addr = hwpoison_map(a->page);

	return 0;
}

static noinline u64 add_up(const u64 *p)
{
	u64 sum = 0;
	unsigned int i;

	for (i = 0; i < WORDS; i++)
		sum += READ_ONCE(p[i]);

	return sum;
}

static noinline u64 add_vectors(const u64 *p)
{
	unsigned long flags;
	u64 part[2];

	local_irq_save(flags);
	kernel_fpu_begin();
	asm volatile("pxor %%xmm0, %%xmm0\n"
		     "1: paddq (%[p]), %%xmm0\n"
		     "add $16, %[p]\n"
		     "cmp %[end], %[p]\n"
		     "jne 1b\n"
		     "movdqu %%xmm0, %[part]"
		     : [p] "+r" (p), [part] "=m" (part)
		     : [end] "r" (p + WORDS) : "memory", "cc");
	kernel_fpu_end();
	local_irq_restore(flags);

	return part[0] + part[1];
}

static int cost(struct alias *a, const char *what)
{
	unsigned int i, bad = 0;
	unsigned long flags;
	void *addr;
	u64 start;

	if (!a->page)
		return -ENODATA;
	local_irq_save(flags);
	start = rdtsc_ordered();
	for (i = 0; i < 1000; i++) {
		if (*what == 'm') {
			addr = hwpoison_map(a->page);
			bad += !addr || !hwpoison_unmap(addr);
		} else if (*what == 'p') {
			bad += !hwpoison_probe_page(a->page);
		} else {
			addr = kmap_local_page(a->page);
			barrier_data(addr);
			kunmap_local(addr);
		}
	}
	a->sum = rdtsc_ordered() - start;
	local_irq_restore(flags);

	return bad ? -EIO : 0;
}

static int run(struct alias *a, char *line)
{
	unsigned long addr;

	if (!strncmp(line, "map ", 4))
		return kstrtoul(strim(line + 4), 0, &addr) ?: map(a, addr);
	if (!strcmp(line, "unmap")) {
		unmap(a);
		return 0;
	}
	if (!strncmp(line, "cost ", 5))
		return cost(a, line + 5);
	if (!a->addr)
		return -ENODATA;
	if (!strcmp(line, "words")) {
		a->sum = add_up(a->addr);
	} else if (!strcmp(line, "copy")) {
		memcpy(a->copy, a->addr, PAGE_SIZE);
		a->sum = add_up(a->copy);
	} else if (!strcmp(line, "vector")) {
		a->sum = add_vectors(a->addr);
	} else {
		return -EINVAL;
	}

	return 0;
}

static ssize_t alias_write(struct file *filp, const char __user *text, size_t len,
			   loff_t *pos)
{
	char line[64];
	int ret;

	if (len >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, text, len))
		return -EFAULT;
	line[len] = '\0';
	ret = run(filp->private_data, strim(line));

	return ret ?: len;
}

static ssize_t alias_read(struct file *filp, char __user *text, size_t len, loff_t *pos)
{
	struct alias *a = filp->private_data;
	char line[64];
	int n = scnprintf(line, sizeof(line), "%d %llu %d\n", !!a->addr, a->sum, a->real);

	*pos = 0;

	return simple_read_from_buffer(text, len, pos, line, n);
}

static const struct file_operations alias_fops = {
	.owner		= THIS_MODULE,
	.open		= alias_open,
	.release	= alias_release,
	.read		= alias_read,
	.write		= alias_write,
};

static int __init alias_init(void)
{
	file = debugfs_create_file("mce_alias", 0600, NULL, NULL, &alias_fops);

	return PTR_ERR_OR_ZERO(file);
}

static void __exit alias_exit(void)
{
	debugfs_remove(file);
}

module_init(alias_init);
module_exit(alias_exit);

MODULE_DESCRIPTION("Read user memory through the alias of the direct map");
MODULE_LICENSE("GPL");
