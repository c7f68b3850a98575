// SPDX-License-Identifier: GPL-2.0
/*
 * Loads of memory that may be poisoned, through kernel addresses.
 *
 * Memory that belongs to somebody else is read by the kernel in many places,
 * and none of them should know about machine checks. What they need to know is
 * here: a load can fail. The page is recorded, see mm/hwpoison-record.c, and
 * taken out of service by whoever settles the record; the caller passes the
 * failure on.
 *
 * These are the versions for architectures that cannot recover.
 */
#include <linux/export.h>
#include <linux/hwpoison.h>
#include <linux/io.h>
#include <linux/string.h>

/**
 * hwpoison_copy() - copy from memory that may be poisoned
 * @to:		destination, a kernel address
 * @from:	source, a kernel address
 * @len:	bytes
 *
 * As fast as memcpy(). Stops in front of the first bad line, having touched
 * nothing behind it, at either end; one machine check.
 *
 * Context: any.
 * Return: bytes that were not copied, 0 if all were.
 */
size_t __weak hwpoison_copy(void *to, const void *from, size_t len)
{
	memcpy(to, from, len);
	return 0;
}
EXPORT_SYMBOL_GPL(hwpoison_copy);

/**
 * hwpoison_probe() - is there poison in memory that is about to be read?
 * @addr:	a kernel address
 * @len:	bytes
 *
 * For code that reads with loads of its own and cannot be told to stop, such
 * as a compressor: one load a line finds what is there to be found, and brings
 * the data into the cache. What goes bad between here and there is not found.
 *
 * Context: any.
 * Return: false if poison was met.
 */
bool __weak hwpoison_probe(const void *addr, size_t len)
{
	return true;
}
EXPORT_SYMBOL_GPL(hwpoison_probe);

/**
 * hwpoison_copy_fromio() - memcpy_fromio() for what may be memory
 * @to:		destination, a kernel address
 * @from:	source, mapped by ioremap() or its like
 * @len:	bytes
 *
 * What a driver lets a program map may be a device, or memory that the kernel
 * does not use. For a debugger of that program.
 *
 * Context: any.
 * Return: bytes that were not copied, 0 if all were.
 */
size_t __weak hwpoison_copy_fromio(void *to, const void __iomem *from,
				   size_t len)
{
	memcpy_fromio(to, from, len);
	return 0;
}
