/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where csum_partial() goes on after #MC: it returns, in its own frame.
 */
#include <linux/linkage.h>

SYM_FUNC_START(csum_mc_return)
	RET
SYM_FUNC_END(csum_mc_return)
