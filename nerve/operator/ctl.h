/* ctl.h - nerve ctl: asks a nerve, over its control socket
 * SPDX-License-Identifier: MIT
 */
#ifndef NERVE_OPERATOR_CTL_H
#define NERVE_OPERATOR_CTL_H

/* Runs the command line <argv>, whose first word is "ctl". Blocks. Returns the
 * exit status. */
int ctl_run(int argc, char **argv);

#endif
