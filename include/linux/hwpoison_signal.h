/* SPDX-License-Identifier: GPL-2.0 */
/*
 * SIGBUS where a task cannot go on because its memory is lost.
 */
#ifndef _LINUX_HWPOISON_SIGNAL_H
#define _LINUX_HWPOISON_SIGNAL_H

#include <linux/types.h>

struct ksignal;

#ifdef CONFIG_MEMORY_FAILURE

bool hwpoison_force_sig(const void __user *addr, size_t len, bool fatal);
bool hwpoison_force_sig_frame(const struct ksignal *ksig);

#else /* !CONFIG_MEMORY_FAILURE */

static inline bool hwpoison_force_sig(const void __user *addr, size_t len,
				      bool fatal)
{
	return false;
}

static inline bool hwpoison_force_sig_frame(const struct ksignal *ksig)
{
	return false;
}

#endif /* CONFIG_MEMORY_FAILURE */
#endif /* _LINUX_HWPOISON_SIGNAL_H */
