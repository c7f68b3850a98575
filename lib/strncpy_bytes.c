// SPDX-License-Identifier: GPL-2.0
/*
 * The rest of a string from user memory that cannot be read in words.
 */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/hwpoison.h>
#include <linux/minmax.h>
#include <linux/types.h>
#include <linux/uaccess.h>

#include "strncpy_bytes.h"

/**
 * strncpy_bytes_from_user() - go on byte by byte where a word failed
 * @dst:	where the string goes
 * @src:	where it comes from
 * @done:	bytes of it that were copied, none of them zero
 * @max:	bytes behind those that lie in user memory
 * @count:	size of @dst
 *
 * The word may have ended in an absent page, behind the end of the string. Or
 * there was a memory error: that is not met another time, nor is anything read
 * behind it, but a string that ends in front of it is good.
 *
 * Context: strncpy_from_user(), user access enabled: no calls but those that
 * objtool knows.
 * Return: what strncpy_from_user() returns.
 */
notrace long strncpy_bytes_from_user(char *dst, const char __user *src,
				     unsigned long done, unsigned long max,
				     unsigned long count)
{
	unsigned long end;
	char c;

	end = done + min(max, hwpoison_good_bytes((__force void *)(src + done),
						  sizeof(long)));
	while (done < end) {
		unsafe_get_user(c, src + done, fault);
		dst[done] = c;
		if (!c)
			return done;
		done++;
	}
	if (done >= count)
		return done;
fault:
	return -EFAULT;
}
