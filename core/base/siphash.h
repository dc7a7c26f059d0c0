/*
 * siphash.h - SipHash-1-3, for hash tables whose keys come from outside.
 *
 * The key is a constant until siphash_seed() is called, so that simulations and tests run the same every
 * time; the daemon seeds it once at its start, before any table exists and before any thread does.
 */
#ifndef LOCKSTEP_BASE_SIPHASH_H
#define LOCKSTEP_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

void siphash_seed(uint64_t k0, uint64_t k1);
uint64_t siphash(const void *data, size_t bytes);

#endif
