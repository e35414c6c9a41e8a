/* SPDX-License-Identifier: ISC */
#ifndef KEYS_TRIAL_H
#define KEYS_TRIAL_H

/*
 * keys -t, for common/key_trial.h: look at one inherited certificate and its
 * key; say on standard output what is wrong.  An exit code.
 */
int trial_run(void);

#endif
