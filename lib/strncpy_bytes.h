/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LIB_STRNCPY_BYTES_H
#define _LIB_STRNCPY_BYTES_H

#include <linux/compiler.h>

long strncpy_bytes_from_user(char *dst, const char __user *src, unsigned long done,
			     unsigned long max, unsigned long count);

#endif /* _LIB_STRNCPY_BYTES_H */
